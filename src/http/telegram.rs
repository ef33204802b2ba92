//! Telegram's webhook: authenticate, store, and only then say so.

use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, Object, OpenApi,
    param::Header,
    payload::Json,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef},
    types::Example,
};
use subtle::ConstantTimeEq;
use tokio::sync::OnceCell;

use super::{
    Tags, body,
    problem::{Answer, Kind, Problem},
};
use crate::{
    access,
    app::App,
    bots::{
        Bot,
        inbox::{self, ReceiveError},
    },
    secrets::Secret,
};

pub(super) struct TelegramWebhook {
    pub(super) app: App,
    pub(super) secret: OnceCell<Secret>,
    pub(super) forex_secret: OnceCell<Secret>,
}

/// What Telegram wants to hear.
#[derive(Object)]
#[oai(example)]
struct Taken {
    /// Always true.
    ok: bool,
}

impl Example for Taken {
    fn example() -> Self {
        Self { ok: true }
    }
}

/// An update as Telegram sent it, byte for byte.
struct Update(bytes::Bytes);

impl<'a> ApiExtractor<'a> for Update {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        let mut schema = MetaSchema::new("object");
        schema.description = Some("An update of the Bot API.");
        schema.example = Some(serde_json::json!({
            "update_id": 10_000,
            "message": {
                "message_id": 1365, "date": 1_800_000_000, "text": "GOLD10",
                "chat": { "id": 1111, "type": "private", "first_name": "Ann" },
                "from": { "id": 1111, "is_bot": false, "first_name": "Ann", "language_code": "en" },
            },
        }));
        schema.required = vec!["update_id"];
        schema.properties = vec![("update_id", MetaSchemaRef::Inline(Box::new(MetaSchema::new("integer"))))];
        let content =
            MetaMediaType { content_type: "application/json", schema: MetaSchemaRef::Inline(Box::new(schema)) };
        Some(MetaRequest { description: None, content: vec![content], required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self(body::bytes(request, body).await?))
    }
}

#[OpenApi(tag = "Tags::Webhooks")]
impl TelegramWebhook {
    /// Take an update of the coupon bot
    ///
    /// For Telegram only. Stored once however often it comes, and worked afterwards: 200 means that it is stored.
    ///
    /// Problems: webhook-secret, telegram-unavailable, not-an-update
    #[oai(path = "/telegram-webhook", method = "post", operation_id = "takeTelegramUpdate")]
    async fn update(
        &self,
        /// The secret that was registered with the webhook.
        #[oai(name = "X-Telegram-Bot-Api-Secret-Token")]
        secret: Header<Option<String>>,
        /// The update.
        update: Update,
    ) -> Answer<Json<Taken>> {
        self.take(Bot::Coupon, secret.0, &update).await
    }

    /// Take an update of the forex bot
    ///
    /// For Telegram only. Stored once however often it comes, and worked afterwards: 200 means that it is stored.
    ///
    /// Problems: webhook-secret, telegram-unavailable, not-an-update
    #[oai(path = "/forex-telegram-webhook", method = "post", operation_id = "takeForexTelegramUpdate")]
    async fn forex_update(
        &self,
        /// The secret that was registered with the webhook.
        #[oai(name = "X-Telegram-Bot-Api-Secret-Token")]
        secret: Header<Option<String>>,
        /// The update.
        update: Update,
    ) -> Answer<Json<Taken>> {
        self.take(Bot::Forex, secret.0, &update).await
    }
}

impl TelegramWebhook {
    async fn take(&self, bot: Bot, sent: Option<String>, update: &Update) -> Answer<Json<Taken>> {
        let (client, secret) = match bot {
            Bot::Coupon => (&self.app.telegram, &self.secret),
            Bot::Forex => (&self.app.forex, &self.forex_secret),
        };
        if client.is_none() {
            return Err(Kind::TelegramUnavailable.into());
        }
        let expected = secret.get_or_try_init(|| access::telegram_webhook_secret(&self.app, bot)).await?;
        let sent = sent.unwrap_or_default();
        if !bool::from(sent.as_bytes().ct_eq(expected.reveal().as_bytes())) {
            return Err(Kind::WebhookSecret.into());
        }
        match inbox::receive(&self.app, bot, &update.0).await {
            Ok(()) => Ok(Json(Taken { ok: true })),
            Err(ReceiveError::Update(error)) => {
                Err(Problem::from(Kind::NotAnUpdate).with_error("body", error.to_string()))
            }
            // Whatever it was: Telegram has to keep the update.
            Err(error @ ReceiveError::Store(_)) => Err(Problem::from(Kind::DatabaseUnavailable).because(error)),
        }
    }
}
