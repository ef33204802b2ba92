//! Stripe's webhook: authenticate, store, and only then say so.

use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, Object, OpenApi,
    param::Header,
    payload::Json,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef},
    types::Example,
};

use super::{
    Tags, body,
    context::Context,
    problem::{Answer, Kind, Problem},
};
use crate::{
    app::App,
    integrations::stripe::signature,
    stripe::inbox::{Incoming, KeepError},
};

pub(super) struct StripeWebhook(pub(super) App);

/// What Stripe wants to hear.
#[derive(Object)]
#[oai(example)]
struct Kept {
    /// Always true.
    received: bool,
}

impl Example for Kept {
    fn example() -> Self {
        Self { received: true }
    }
}

/// An event as Stripe sent it, byte for byte.
struct Event {
    body: bytes::Bytes,
    correlation: uuid::Uuid,
}

impl<'a> ApiExtractor<'a> for Event {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        let mut schema = MetaSchema::new("object");
        schema.description = Some("An event of Stripe's API, of any version.");
        schema.example = Some(serde_json::json!({
            "id": "evt_1TnXk2LkdIwHu7ix0Qz", "object": "event", "type": "invoice.paid", "created": 1_800_000_000,
            "api_version": "2026-09-30.endive", "livemode": false,
            "data": { "object": { "id": "in_1TnXk1LkdIwHu7ix3bA", "object": "invoice" } },
        }));
        let content =
            MetaMediaType { content_type: "application/json", schema: MetaSchemaRef::Inline(Box::new(schema)) };
        Some(MetaRequest { description: None, content: vec![content], required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let correlation = Context::of(request)?.id;
        Ok(Self { body: body::bytes(request, body).await?, correlation })
    }
}

#[OpenApi(tag = "Tags::Webhooks")]
impl StripeWebhook {
    /// Take an event of Stripe's
    ///
    /// For Stripe only. Stored once however often it comes, and worked afterwards: 200 means that it is stored. Types
    /// of events that nobody here needs are stored, too.
    ///
    /// Problems: stripe-signature, stripe-unavailable, overloaded, stopping
    #[oai(path = "/stripe/webhook", method = "post", operation_id = "takeStripeEvent")]
    async fn event(
        &self,
        /// The time, and the body's signatures under the secrets of our endpoint.
        #[oai(name = "Stripe-Signature")]
        signature: Header<Option<String>>,
        /// The event.
        event: Event,
    ) -> Answer<Json<Kept>> {
        let secrets = &self.0.config.stripe_webhook_secrets;
        if secrets.is_empty() {
            return Err(Kind::StripeUnavailable.into());
        }
        let now = self.0.clock.now();
        let header = signature.0.as_deref().unwrap_or_default();
        signature::verify(header, &event.body, secrets, now)
            .map_err(|error| Problem::from(Kind::StripeSignature).with_error("Stripe-Signature", error.to_string()))?;
        let incoming = Incoming { body: event.body, received_at: now, correlation: event.correlation };
        match self.0.stripe_inbox.keep(incoming).await {
            Ok(()) => Ok(Json(Kept { received: true })),
            // Whatever it was: Stripe has to keep the event.
            Err(error @ KeepError::Store(_)) => Err(Problem::from(Kind::DatabaseUnavailable).because(error)),
            Err(KeepError::Full) => Err(Kind::Overloaded.into()),
            Err(KeepError::Closed) => Err(Kind::Stopping.into()),
        }
    }
}
