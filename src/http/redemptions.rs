//! Who redeemed what, and when.

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, OpenApi, param::Query, payload::Json, types::Example};
use projections::{
    campaigns,
    page::{Cursor, Key},
    redemptions::{self, Filter, Row},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, Caller, CampaignsRead},
    csv::{Columns, PIECE, Table, line, maybe, pieces, time},
    mutation::EXAMPLE_ID,
    params::{At, cursor, instant, shows, usual_limit, usual_wait},
    problem::{Answer, Kind},
};
use crate::app::App;

pub(super) struct Redemptions(pub(super) App);

/// In which order.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum Order {
    /// As it happened.
    Asc,
    /// The newest first.
    Desc,
}

fn newest_first() -> Order {
    Order::Desc
}

/// A redemption.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Redemption {
    /// Its id.
    id: Uuid,
    /// Of which campaign.
    campaign_id: Uuid,
    /// Its number in the campaign, from 1.
    number: i32,
    /// By whom: a pseudonym, the same in all campaigns.
    person: Uuid,
    /// Their Telegram user id, if they came from there. Only for those with the scope `bot-users:read`.
    telegram_id: Option<i64>,
    /// The batch of the unique code; without it, the shared code.
    batch: Option<i32>,
    /// The code's place in the batch, from 0.
    index: Option<i32>,
    /// Through which door: `bot` or `api`.
    source: String,
    /// When.
    redeemed_at: DateTime<Utc>,
    /// When it was rolled back, if it was.
    released_at: Option<DateTime<Utc>>,
    /// Of its event in the log.
    position: i64,
}

impl Example for Redemption {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(EXAMPLE_ID + 1),
            campaign_id: Uuid::from_u128(EXAMPLE_ID),
            number: 17,
            person: Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a),
            telegram_id: Some(123_456_789),
            batch: None,
            index: None,
            source: "bot".to_owned(),
            redeemed_at: DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default(),
            released_at: None,
            position: 1042,
        }
    }
}

/// A redemption as its reader may see it.
fn shown(row: Row, sees_people: bool) -> Row {
    Row { telegram_id: row.telegram_id.filter(|_| sees_people), ..row }
}

impl From<Row> for Redemption {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            campaign_id: row.campaign_id,
            number: row.number,
            person: row.person,
            telegram_id: row.telegram_id,
            batch: row.batch,
            index: row.index,
            source: row.source,
            redeemed_at: row.redeemed_at,
            released_at: row.released_at,
            position: row.position,
        }
    }
}

/// A page of redemptions.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct RedemptionPage {
    /// The redemptions.
    items: Vec<Redemption>,
    /// The `cursor` of the next page; missing on the last one.
    next_cursor: Option<String>,
}

impl Example for RedemptionPage {
    fn example() -> Self {
        let cursor = Cursor { key: Key::Number(1042), id: Uuid::from_u128(EXAMPLE_ID + 1) };
        Self { items: vec![Redemption::example()], next_cursor: Some(cursor.to_string()) }
    }
}

struct RedemptionTable;

impl Columns for RedemptionTable {
    const NAMES: &'static str =
        "id,campaign_id,number,person,telegram_id,batch,index,source,redeemed_at,released_at,position";
    const EXAMPLE: &'static str = "01935c2e-7b4a-7c31-9f05-5d1a8e6204b8,01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,17,\
                                   5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,123456789,,,bot,2027-01-15T09:00:00.000000Z,,\
                                   1042";
}

fn row_line(row: &Row) -> String {
    line(&[
        &row.id.to_string(),
        &row.campaign_id.to_string(),
        &row.number.to_string(),
        &row.person.to_string(),
        &maybe(row.telegram_id),
        &maybe(row.batch),
        &maybe(row.index),
        &row.source,
        &time(row.redeemed_at),
        &row.released_at.map(time).unwrap_or_default(),
        &row.position.to_string(),
    ])
}

#[OpenApi(tag = "Tags::Campaigns")]
impl Redemptions {
    /// List a campaign's redemptions
    ///
    /// The same as `listRedemptions` with this campaign.
    #[oai(path = "/campaigns/:id/redemptions", method = "get", operation_id = "listCampaignRedemptions")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn of_campaign(
        &self,
        caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
        /// In which order.
        #[oai(default = "newest_first")]
        order: Query<Order>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<RedemptionPage>> {
        for read_model in ["campaigns", "redemptions"] {
            shows(&self.0, read_model, min_position.0, wait_ms.0).await?;
        }
        if !campaigns::exists(&self.0.pool, id.0).await? {
            return Err(Kind::CampaignMissing.into());
        }
        let filter = Filter { campaign: Some(id.0), ..Filter::default() };
        self.page(&caller, &filter, order.0, limit.0, cursor.0.as_ref()).await
    }

    /// List redemptions
    ///
    /// A page of the redemptions that match all filters, in the order of the log. Without the scope `bot-users:read`
    /// people are pseudonyms: `telegram_id` is left out.
    #[oai(path = "/redemptions", method = "get", operation_id = "listRedemptions")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        caller: Allowed<CampaignsRead>,
        /// Only of the campaign with this id.
        campaign: Query<Option<Uuid>>,
        /// Only by the person with this pseudonym.
        person: Query<Option<Uuid>>,
        /// Only by the person with this Telegram user id. Needs the scope `bot-users:read`, too.
        telegram_id: Query<Option<i64>>,
        /// Only at or after this instant.
        since: Query<Option<DateTime<Utc>>>,
        /// Only before this instant.
        until: Query<Option<DateTime<Utc>>>,
        /// In which order.
        #[oai(default = "newest_first")]
        order: Query<Order>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<RedemptionPage>> {
        caller.may_ask_for(telegram_id.0)?;
        let filter = Filter {
            campaign: campaign.0,
            person: person.0,
            telegram_id: telegram_id.0,
            since: instant("since", since.0)?,
            until: instant("until", until.0)?,
        };
        shows(&self.0, "redemptions", min_position.0, wait_ms.0).await?;
        self.page(&caller, &filter, order.0, limit.0, cursor.0.as_ref()).await
    }

    /// Export a campaign's redemptions
    ///
    /// The same as `exportRedemptions` with this campaign.
    #[oai(path = "/campaigns/:id/redemptions.csv", method = "get", operation_id = "exportCampaignRedemptions")]
    async fn export_of_campaign(
        &self,
        caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
        /// In which order.
        #[oai(default = "newest_first")]
        order: Query<Order>,
    ) -> Answer<Table<RedemptionTable>> {
        if !campaigns::exists(&self.0.pool, id.0).await? {
            return Err(Kind::CampaignMissing.into());
        }
        Ok(self.table(&caller, Filter { campaign: Some(id.0), ..Filter::default() }, order.0))
    }

    /// Export redemptions
    ///
    /// All that match the filters of `listRedemptions`, as CSV. Without the scope `bot-users:read` the column
    /// `telegram_id` is empty.
    #[oai(path = "/redemptions.csv", method = "get", operation_id = "exportRedemptions")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn export(
        &self,
        caller: Allowed<CampaignsRead>,
        /// Only of the campaign with this id.
        campaign: Query<Option<Uuid>>,
        /// Only by the person with this pseudonym.
        person: Query<Option<Uuid>>,
        /// Only by the person with this Telegram user id. Needs the scope `bot-users:read`, too.
        telegram_id: Query<Option<i64>>,
        /// Only at or after this instant.
        since: Query<Option<DateTime<Utc>>>,
        /// Only before this instant.
        until: Query<Option<DateTime<Utc>>>,
        /// In which order.
        #[oai(default = "newest_first")]
        order: Query<Order>,
    ) -> Answer<Table<RedemptionTable>> {
        caller.may_ask_for(telegram_id.0)?;
        let filter = Filter {
            campaign: campaign.0,
            person: person.0,
            telegram_id: telegram_id.0,
            since: instant("since", since.0)?,
            until: instant("until", until.0)?,
        };
        Ok(self.table(&caller, filter, order.0))
    }
}

impl Redemptions {
    fn table(&self, caller: &Caller, filter: Filter, order: Order) -> Table<RedemptionTable> {
        let (pool, sees_people) = (self.0.pool.clone(), caller.sees_people());
        let lines = pieces(move |after: Option<Cursor>| {
            let (pool, filter) = (pool.clone(), filter.clone());
            async move {
                let page = redemptions::list(&pool, &filter, order == Order::Desc, after.as_ref(), PIECE).await?;
                let rows = page.rows.into_iter().map(|row| shown(row, sees_people));
                Ok::<_, sqlx::Error>((rows.map(|row| row_line(&row)).collect(), page.next))
            }
        });
        Table::named("redemptions", lines)
    }

    async fn page(
        &self,
        caller: &Caller,
        filter: &Filter,
        order: Order,
        limit: i64,
        given: Option<&String>,
    ) -> Answer<Json<RedemptionPage>> {
        let after = cursor(given, |cursor| matches!(cursor.key, Key::Number(_)))?;
        let page = redemptions::list(&self.0.pool, filter, order == Order::Desc, after.as_ref(), limit).await?;
        Ok(Json(RedemptionPage {
            items: page.rows.into_iter().map(|row| shown(row, caller.sees_people()).into()).collect(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }
}
