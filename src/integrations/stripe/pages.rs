//! Lists, page by page, as streams.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt, stream};
use serde_json::Value;
use stripe_billing::{
    invoice::ListInvoice,
    subscription::{ListSubscription, ListSubscriptionStatus},
};
use stripe_client_core::{RequestBuilder, StripeRequest};
use stripe_core::event::ListEvent;
use stripe_types::{RangeBoundsTs, RangeQueryTs};

use super::{
    client::{Stripe, WITH_INVOICE, WITH_SUBSCRIPTION},
    error::StripeError,
    object::{Event, Invoice, InvoiceStatus, Node, Object, ObjectError, Subscription},
};

/// The most that Stripe gives at once.
const PAGE: i64 = 100;

/// When an object was made: at or after, and before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Created {
    /// At or after, to the second.
    pub since: Option<DateTime<Utc>>,
    /// Before, to the second.
    pub until: Option<DateTime<Utc>>,
}

impl Created {
    fn range(self) -> Option<RangeQueryTs> {
        let bounds = RangeBoundsTs {
            gte: self.since.map(|since| since.timestamp()),
            lt: self.until.map(|until| until.timestamp()),
            ..RangeBoundsTs::default()
        };
        (self != Self::default()).then_some(RangeQueryTs::Bounds(bounds))
    }
}

/// An object of a list. One that cannot be read does not hide the others.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// Its id.
    pub id: String,
    /// What it says.
    pub object: Result<T, ObjectError>,
    /// The JSON of it.
    pub json: Value,
}

/// Which way a list is walked.
#[derive(Debug, Clone)]
enum Walk {
    /// From the newest, or from the one after this, to the oldest.
    Back(Option<String>),
    /// From the one before this on the list, which is newer, to the newest.
    Forth(String),
}

impl Stripe {
    /// All subscriptions, also those that have ended, the newest first: all of them, or those
    /// on the list after this one.
    pub fn subscriptions(
        &self,
        created: Created,
        after: Option<String>,
    ) -> impl Stream<Item = Result<Listed<Subscription>, StripeError>> + Send + use<> {
        let ask = move |walk: &Walk, more: Vec<String>| {
            let mut request = ListSubscription::new().status(ListSubscriptionStatus::All).limit(PAGE);
            if !more.is_empty() {
                request = request.expand(more);
            }
            if let Some(range) = created.range() {
                request = request.created(range);
            }
            match walk {
                Walk::Back(Some(id)) => request.starting_after(id.as_str()),
                Walk::Forth(id) => request.ending_before(id.as_str()),
                Walk::Back(None) => request,
            }
            .build()
        };
        self.walk("list subscriptions", WITH_SUBSCRIPTION, Walk::Back(after), Arc::new(ask))
    }

    /// Invoices, the newest first: of all subscriptions, or of one; all of them, or those on
    /// the list after this one.
    pub fn invoices(
        &self,
        created: Created,
        subscription: Option<String>,
        after: Option<String>,
    ) -> impl Stream<Item = Result<Listed<Invoice>, StripeError>> + Send + use<> {
        let ask = move |walk: &Walk, more: Vec<String>| {
            let mut request = ListInvoice::new().limit(PAGE);
            if !more.is_empty() {
                request = request.expand(more);
            }
            if let Some(subscription) = &subscription {
                request = request.subscription(subscription.as_str());
            }
            if let Some(range) = created.range() {
                request = request.created(range);
            }
            match walk {
                Walk::Back(Some(id)) => request.starting_after(id.as_str()),
                Walk::Forth(id) => request.ending_before(id.as_str()),
                Walk::Back(None) => request,
            }
            .build()
        };
        self.walk("list invoices", WITH_INVOICE, Walk::Back(after), Arc::new(ask))
    }

    /// The newest invoice of a subscription that something was paid of.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn last_paid_invoice(&self, subscription: &str) -> Result<Option<Invoice>, StripeError> {
        let mut invoices = std::pin::pin!(self.invoices(Created::default(), Some(subscription.to_owned()), None));
        while let Some(listed) = invoices.try_next().await? {
            if let Ok(invoice) = listed.object
                && invoice.status == InvoiceStatus::Paid
                && invoice.amount_paid > 0
            {
                return Ok(Some(invoice));
            }
        }
        Ok(None)
    }

    /// Events of the last 30 days, the newest first.
    pub fn events(&self, created: Created) -> impl Stream<Item = Result<Listed<Event>, StripeError>> + Send + use<> {
        self.walk("list events", &[], Walk::Back(None), Arc::new(move |walk: &Walk, _| events(created, walk)))
    }

    /// Events that happened after this one, the oldest first. Stripe must still have it.
    pub fn events_after(&self, event: &str) -> impl Stream<Item = Result<Listed<Event>, StripeError>> + Send + use<> {
        let from = Walk::Forth(event.to_owned());
        self.walk("list events", &[], from, Arc::new(|walk: &Walk, _| events(Created::default(), walk)))
    }

    /// `more` is to be sent along with each object.
    fn walk<T: Object + Send + 'static>(
        &self,
        operation: &'static str,
        more: &'static [&'static str],
        from: Walk,
        request: Arc<Ask>,
    ) -> impl Stream<Item = Result<Listed<T>, StripeError>> + Send + use<T> {
        let stripe = self.clone();
        let pages = stream::try_unfold(Some(from), move |walk| {
            let (stripe, request) = (stripe.clone(), request.clone());
            async move {
                let Some(walk) = walk else { return Ok(None) };
                let json = if more.is_empty() {
                    stripe.page(operation, request(&walk, vec![])).await?
                } else {
                    let ask = |more: Vec<String>| {
                        request(&walk, more.into_iter().map(|path| format!("data.{path}")).collect())
                    };
                    stripe.send_whole(operation, more, ask).await?
                };
                let (mut found, again) =
                    page::<T>(&json).map_err(|source| StripeError::Unreadable { operation, source })?;
                let next = match walk {
                    Walk::Back(_) => found.last().map(|last| Walk::Back(Some(last.id.clone()))),
                    Walk::Forth(_) => {
                        let next = found.first().map(|first| Walk::Forth(first.id.clone()));
                        found.reverse();
                        next
                    }
                };
                let found = stream::iter(found.into_iter().map(Ok::<_, StripeError>));
                Ok::<_, StripeError>(Some((found, next.filter(|_| again))))
            }
        });
        pages.try_flatten()
    }
}

/// Makes the request for a page.
type Ask = dyn Fn(&Walk, Vec<String>) -> RequestBuilder + Send + Sync;

fn events(created: Created, walk: &Walk) -> RequestBuilder {
    let mut request = ListEvent::new().limit(PAGE);
    if let Some(range) = created.range() {
        request = request.created(range);
    }
    match walk {
        Walk::Back(Some(id)) => request.starting_after(id.as_str()),
        Walk::Forth(id) => request.ending_before(id.as_str()),
        Walk::Back(None) => request,
    }
    .build()
}

/// The objects of a page, and whether there is more behind it.
fn page<T: Object>(json: &Value) -> Result<(Vec<Listed<T>>, bool), ObjectError> {
    let root = Node::root(json, "list");
    let mut found = vec![];
    for node in root.list()? {
        let json = node.value().clone();
        found.push(Listed { id: node.need("id")?.text()?.to_owned(), object: T::from_json(&json), json });
    }
    let more = root.get("has_more").map_or(Ok(false), |more| more.flag())?;
    Ok((found, more))
}
