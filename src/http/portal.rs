//! The way to Stripe's portal, which the bot's messages lead to.

use poem_openapi::{ApiResponse, OpenApi};

use super::{
    Tags,
    params::At,
    problem::{Answer, Kind, Problem},
};
use crate::{
    app::App,
    membership::pay::{self, PortalError},
};

pub(super) struct Portal(pub(super) App);

#[derive(ApiResponse)]
enum Way {
    /// A session of the portal, opened for this request. It lasts for minutes; the way to it, for a month.
    #[oai(status = 303)]
    There(
        /// Where it is.
        #[oai(header = "Location")]
        String,
        /// It is for nobody else.
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[OpenApi(tag = "Tags::Subscriptions")]
impl Portal {
    /// Go to Stripe's portal
    ///
    /// Where a subscriber changes how they pay. The bot's messages lead here; nobody can make up such a way, so it needs
    /// no credentials.
    ///
    /// Problems: portal-missing, stripe-unavailable, stripe-silent
    #[oai(path = "/stripe/portal/:pass", method = "get", operation_id = "goToPortal")]
    async fn go(
        &self,
        /// As it stands in the message.
        pass: At<String>,
    ) -> Answer<Way> {
        match pay::open(&self.0, &pass.0).await {
            Ok(url) => Ok(Way::There(url.to_string(), "no-store".to_owned())),
            Err(PortalError::Nowhere) => Err(Kind::PortalMissing.into()),
            Err(PortalError::NoKey) => Err(Kind::StripeUnavailable.into()),
            Err(error @ PortalError::Stripe(_)) => Err(Problem::from(Kind::StripeSilent).because(error)),
            Err(error @ (PortalError::Database(_) | PortalError::Look(_))) => {
                Err(Problem::from(Kind::DatabaseUnavailable).because(error))
            }
        }
    }
}
