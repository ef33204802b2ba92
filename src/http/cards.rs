//! Coupons as pictures.

use aggregates::{UniqueCode, campaign::Terms};
use poem::{IntoResponse, Response};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::Query,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use projections::{campaigns, redemptions};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, CampaignsRead},
    params::At,
    problem::{Answer, Kind, Problem},
};
use crate::{app::App, bots::texts, coupons};

pub(super) struct Cards(pub(super) App);

/// A picture (PNG).
struct Picture(Vec<u8>);

impl Payload for Picture {
    const CONTENT_TYPE: &'static str = "image/png";

    fn schema_ref() -> MetaSchemaRef {
        let example = Some("(a picture of 1,200 by 630 pixels)".into());
        MetaSchemaRef::Inline(Box::new(MetaSchema { example, ..MetaSchema::new_with_format("string", "binary") }))
    }
}

impl IntoResponse for Picture {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}

impl ApiResponse for Picture {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: Self::schema_ref() }];
        let response =
            MetaResponse { description: "The card.", status: Some(200), status_range: None, content, headers: vec![] };
        MetaResponses { responses: vec![response] }
    }

    fn register(_: &mut Registry) {}
}

/// What stands for a code where there is none yet; it is nobody's.
const SAMPLE: &str = "0000000000000";

#[OpenApi(tag = "Tags::Coupons")]
impl Cards {
    /// Draw a campaign's card
    ///
    /// As a holder would see it, with the shared code, or one that is nobody's where codes are unique. The QR code opens
    /// the bot with the code.
    ///
    /// Problems: telegram-unavailable
    #[oai(path = "/campaigns/:id/card", method = "get", operation_id = "previewCard")]
    async fn preview(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
        /// To whom it belongs.
        #[oai(validator(max_length = 200))]
        holder_name: Query<Option<String>>,
    ) -> Answer<Picture> {
        let row = campaigns::find(&self.0.pool, id.0).await?.ok_or(Kind::CampaignMissing)?;
        let code = row.code.unwrap_or_else(|| SAMPLE.to_owned());
        self.draw(code, holder_name.0, row.terms.0).await
    }

    /// Draw the card of a redemption
    ///
    /// With the code that was redeemed.
    ///
    /// Problems: redemption-missing, telegram-unavailable
    #[oai(path = "/redemptions/:id/card", method = "get", operation_id = "drawCard")]
    async fn card(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The redemption's id.
        id: At<Uuid>,
        /// To whom it belongs.
        #[oai(validator(max_length = 200))]
        holder_name: Query<Option<String>>,
    ) -> Answer<Picture> {
        let redemption = redemptions::find(&self.0.pool, id.0).await?.ok_or(Kind::RedemptionMissing)?;
        let row = campaigns::find(&self.0.pool, redemption.campaign_id).await?.ok_or(Kind::CampaignMissing)?;
        let code = match redemption.batch.zip(redemption.index) {
            Some((batch, index)) => {
                coupons::text(&self.0, UniqueCode { batch: batch as u32, index: index as u32 }).await?
            }
            None => row.code,
        };
        self.draw(code.ok_or(Kind::ReadModelBehind)?, holder_name.0, row.terms.0).await
    }
}

impl Cards {
    async fn draw(&self, code: String, holder_name: Option<String>, terms: Terms) -> Answer<Picture> {
        let telegram = self.0.telegram.as_ref().ok_or(Kind::TelegramUnavailable)?;
        let bot = self.0.bot.get_or_try_init(|| telegram.identity()).await;
        let bot = bot.map_err(|error| Problem::from(Kind::TelegramUnavailable).because(error))?;
        let internal = |error| Problem::from(Kind::Internal).because(error);
        let texts = texts::in_language(None);
        let values = cards::Values {
            link: cards::deep_link(&bot.username, &code).map_err(internal)?,
            code,
            holder_name,
            validity: terms.ends_at.map(|ends_at| texts.valid_until(ends_at)),
            campaign_name: terms.name,
            benefit: terms.benefit.as_ref().map(|benefit| texts.benefit(benefit)).unwrap_or_default(),
        };
        let drawn = self.0.drawer.draw(values).await;
        drawn.map(Picture).map_err(|error| Problem::from(Kind::Internal).because(error))
    }
}
