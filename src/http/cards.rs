//! Coupons as pictures.

use aggregates::{PersonId, UniqueCode, campaign::Terms};
use poem::{IntoResponse, Response};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::Query,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use projections::campaigns::{self, Row};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, CampaignsRead},
    coupons::redemption,
    params::{At, caught_up},
    problem::{Answer, Kind},
};
use crate::{
    app::App,
    bots::texts,
    cards::{self, Lacking, SAMPLE_CODE},
    coupons,
};

pub(super) struct Cards(pub(super) App);

/// A picture (PNG).
pub(super) struct Picture(pub(super) Vec<u8>);

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

#[OpenApi(tag = "Tags::Coupons")]
impl Cards {
    /// Draw a campaign's card
    ///
    /// As a holder would see it, with the shared code, or one that is nobody's where codes are unique; on the campaign's
    /// template, or else on our ticket. The QR code opens the bot with the code.
    ///
    /// Problems: telegram-unavailable, storage-unavailable
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
        let row = self.campaign(id.0).await?;
        let code = row.code.clone().unwrap_or_else(|| SAMPLE_CODE.to_owned());
        self.draw(&row, &row.terms.0, code, holder_name.0).await
    }

    /// Draw the card of a redemption
    ///
    /// With the code that was redeemed and the terms it was issued under, on the campaign's template, or else on our ticket.
    ///
    /// Problems: redemption-missing, telegram-unavailable, storage-unavailable
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
        let redemption = redemption(&self.0, id.0).await?;
        let row = self.campaign(redemption.campaign_id).await?;
        let coupon = redemption.batch.zip(redemption.index);
        let coupon = coupon.map(|(batch, index)| UniqueCode { batch: batch as u32, index: index as u32 });
        let code = match coupon {
            Some(coupon) => coupons::text(&self.0, coupon).await?,
            None => row.code.clone(),
        };
        let terms = coupons::terms(&self.0, row.id, PersonId(redemption.person), coupon).await?;
        let terms = terms.as_ref().unwrap_or(&row.terms.0);
        self.draw(&row, terms, code.ok_or(Kind::ReadModelBehind)?, holder_name.0).await
    }
}

impl Cards {
    /// A campaign, even one that was drafted a moment ago.
    async fn campaign(&self, id: Uuid) -> Answer<Row> {
        if let Some(row) = campaigns::find(&self.0.pool, id).await? {
            return Ok(row);
        }
        caught_up(&self.0, "campaigns").await?;
        Ok(campaigns::find(&self.0.pool, id).await?.ok_or(Kind::CampaignMissing)?)
    }

    async fn draw(&self, campaign: &Row, terms: &Terms, code: String, holder_name: Option<String>) -> Answer<Picture> {
        let (template, texts) = (campaign.template, texts::in_language(None));
        Ok(Picture(cards::coupon(&self.0, template, terms, code, holder_name, texts, Lacking::Refuse).await?))
    }
}
