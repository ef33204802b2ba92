//! Who was given a coupon, and for whom one is kept free.

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, OpenApi, param::Query, payload::Json, types::Example};
use projections::{
    campaigns,
    coupons::{self, ReservationFilter},
    page::{Cursor, Key},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, CampaignsRead},
    csv::{Columns, PIECE, Table, line, maybe, pieces, time},
    mutation::EXAMPLE_ID,
    params::{At, cursor, example_cursor, shows, usual_limit, usual_wait},
    problem::{Answer, Kind},
};
use crate::app::App;

pub(super) struct Publications(pub(super) App);

const EXAMPLE_PERSON: Uuid = Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a);

/// A coupon that was given to somebody.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Publication {
    /// Its id.
    id: Uuid,
    /// Of which campaign.
    campaign_id: Uuid,
    /// To whom: a pseudonym, the same in all campaigns.
    person: Uuid,
    /// Their Telegram user id, if they came from there. Only for those with the scope `bot-users:read`.
    telegram_id: Option<i64>,
    /// The batch of the unique code; without it, the shared code.
    batch: Option<i32>,
    /// The code's place in the batch, from 0.
    index: Option<i32>,
    /// When.
    published_at: DateTime<Utc>,
    /// Of its event in the log.
    position: i64,
}

impl Example for Publication {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(EXAMPLE_ID + 4),
            campaign_id: Uuid::from_u128(EXAMPLE_ID),
            person: EXAMPLE_PERSON,
            telegram_id: Some(123_456_789),
            batch: Some(7),
            index: Some(41),
            published_at: DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default(),
            position: 1042,
        }
    }
}

/// A publication as its reader may see it.
fn shown(row: coupons::Publication, sees_people: bool) -> coupons::Publication {
    coupons::Publication { telegram_id: row.telegram_id.filter(|_| sees_people), ..row }
}

impl From<coupons::Publication> for Publication {
    fn from(row: coupons::Publication) -> Self {
        let coupons::Publication { id, campaign_id, person, telegram_id, batch, index, published_at, position } = row;
        Self { id, campaign_id, person, telegram_id, batch, index, published_at, position }
    }
}

/// A page of publications.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct PublicationPage {
    /// The publications.
    items: Vec<Publication>,
    /// The `cursor` of the next page; missing on the last one.
    next_cursor: Option<String>,
}

impl Example for PublicationPage {
    fn example() -> Self {
        let cursor = Cursor { key: Key::Number(1042), id: Uuid::from_u128(EXAMPLE_ID + 4) };
        Self { items: vec![Publication::example()], next_cursor: Some(cursor.to_string()) }
    }
}

struct PublicationTable;

impl Columns for PublicationTable {
    const NAMES: &'static str = "id,campaign_id,person,telegram_id,batch,index,published_at,position";
    const EXAMPLE: &'static str = "01935c2e-7b4a-7c31-9f05-5d1a8e6204bb,01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,\
                                   5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,123456789,7,41,2027-01-15T09:00:00.000000Z,1042";
}

fn publication_line(row: &coupons::Publication) -> String {
    line(&[
        &row.id.to_string(),
        &row.campaign_id.to_string(),
        &row.person.to_string(),
        &maybe(row.telegram_id),
        &maybe(row.batch),
        &maybe(row.index),
        &time(row.published_at),
        &row.position.to_string(),
    ])
}

/// Where a reservation stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
enum ReservationState {
    /// It keeps a redemption free.
    Standing,
    /// It was used.
    Redeemed,
    /// It was taken back.
    Cancelled,
    /// Its time was over.
    Expired,
}

impl ReservationState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Standing => "standing",
            Self::Redeemed => "redeemed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// A redemption that is or was kept free for somebody.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Reservation {
    /// Its id.
    id: Uuid,
    /// Of which campaign.
    campaign_id: Uuid,
    /// For whom: a pseudonym, the same in all campaigns.
    person: Uuid,
    /// The batch of the unique code; without it, the shared code.
    batch: Option<i32>,
    /// The code's place in the batch, from 0.
    index: Option<i32>,
    /// Until when it is kept free, or was to be.
    until: DateTime<Utc>,
    /// `standing`, `redeemed`, `cancelled` or `expired`.
    state: String,
}

impl Example for Reservation {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(EXAMPLE_ID + 5),
            campaign_id: Uuid::from_u128(EXAMPLE_ID),
            person: EXAMPLE_PERSON,
            batch: Some(7),
            index: Some(41),
            until: DateTime::from_timestamp(1_800_004_500, 0).unwrap_or_default(),
            state: "standing".to_owned(),
        }
    }
}

impl From<coupons::Reservation> for Reservation {
    fn from(row: coupons::Reservation) -> Self {
        let coupons::Reservation { id, campaign_id, person, batch, index, until, state } = row;
        Self { id, campaign_id, person, batch, index, until, state }
    }
}

/// A page of reservations.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct ReservationPage {
    /// The reservations.
    items: Vec<Reservation>,
    /// The `cursor` of the next page; missing on the last one.
    next_cursor: Option<String>,
}

impl Example for ReservationPage {
    fn example() -> Self {
        Self { items: vec![Reservation::example()], next_cursor: Some(example_cursor()) }
    }
}

struct ReservationTable;

impl Columns for ReservationTable {
    const NAMES: &'static str = "id,campaign_id,person,batch,index,until,state";
    const EXAMPLE: &'static str = "01935c2e-7b4a-7c31-9f05-5d1a8e6204bc,01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,\
                                   5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,7,41,2027-01-15T09:15:00.000000Z,standing";
}

fn reservation_line(row: &coupons::Reservation) -> String {
    line(&[
        &row.id.to_string(),
        &row.campaign_id.to_string(),
        &row.person.to_string(),
        &maybe(row.batch),
        &maybe(row.index),
        &time(row.until),
        &row.state,
    ])
}

#[OpenApi(tag = "Tags::Coupons")]
impl Publications {
    /// List a campaign's publications
    ///
    /// A page of the coupons that were given to a person, the newest first. Without the scope `bot-users:read` people are
    /// pseudonyms: `telegram_id` is left out.
    #[oai(path = "/campaigns/:id/publications", method = "get", operation_id = "listPublications")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn publications(
        &self,
        caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
        /// Only to the person with this pseudonym.
        person: Query<Option<Uuid>>,
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
    ) -> Answer<Json<PublicationPage>> {
        let after = self::cursor(cursor.0.as_ref(), |cursor| matches!(cursor.key, Key::Number(_)))?;
        self.exists(id.0, min_position.0, wait_ms.0).await?;
        let page = coupons::publications(&self.0.pool, id.0, person.0, after.as_ref(), limit.0).await?;
        Ok(Json(PublicationPage {
            items: page.rows.into_iter().map(|row| shown(row, caller.sees_people()).into()).collect(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export a campaign's publications
    ///
    /// All that match the filters of `listPublications`, in the same order, as CSV. Without the scope `bot-users:read`
    /// the column `telegram_id` is empty.
    #[oai(path = "/campaigns/:id/publications.csv", method = "get", operation_id = "exportPublications")]
    async fn export_publications(
        &self,
        caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
        /// Only to the person with this pseudonym.
        person: Query<Option<Uuid>>,
    ) -> Answer<Table<PublicationTable>> {
        self.exists(id.0, None, 0).await?;
        let (pool, campaign, person) = (self.0.pool.clone(), id.0, person.0);
        let sees_people = caller.sees_people();
        let lines = pieces(move |after: Option<Cursor>| {
            let pool = pool.clone();
            async move {
                let page = coupons::publications(&pool, campaign, person, after.as_ref(), PIECE).await?;
                let rows = page.rows.into_iter().map(|row| shown(row, sees_people));
                Ok::<_, sqlx::Error>((rows.map(|row| publication_line(&row)).collect(), page.next))
            }
        });
        Ok(Table::named("publications", lines))
    }

    /// List a campaign's reservations
    ///
    /// A page of them, in whatever state, those that end last first.
    #[oai(path = "/campaigns/:id/reservations", method = "get", operation_id = "listReservations")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn reservations(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
        /// Only in this state.
        state: Query<Option<ReservationState>>,
        /// Only for the person with this pseudonym.
        person: Query<Option<Uuid>>,
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
    ) -> Answer<Json<ReservationPage>> {
        let after = self::cursor(cursor.0.as_ref(), |cursor| matches!(cursor.key, Key::Time(_)))?;
        self.exists(id.0, min_position.0, wait_ms.0).await?;
        let filter = ReservationFilter { person: person.0, state: state.0.map(ReservationState::as_str) };
        let page = coupons::reservations(&self.0.pool, id.0, filter, after.as_ref(), limit.0).await?;
        Ok(Json(ReservationPage {
            items: page.rows.into_iter().map(Reservation::from).collect(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export a campaign's reservations
    ///
    /// All that match the filters of `listReservations`, in the same order, as CSV.
    #[oai(path = "/campaigns/:id/reservations.csv", method = "get", operation_id = "exportReservations")]
    async fn export_reservations(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
        /// Only in this state.
        state: Query<Option<ReservationState>>,
        /// Only for the person with this pseudonym.
        person: Query<Option<Uuid>>,
    ) -> Answer<Table<ReservationTable>> {
        self.exists(id.0, None, 0).await?;
        let (pool, campaign) = (self.0.pool.clone(), id.0);
        let filter = ReservationFilter { person: person.0, state: state.0.map(ReservationState::as_str) };
        let lines = pieces(move |after: Option<Cursor>| {
            let pool = pool.clone();
            async move {
                let page = coupons::reservations(&pool, campaign, filter, after.as_ref(), PIECE).await?;
                Ok::<_, sqlx::Error>((page.rows.iter().map(reservation_line).collect(), page.next))
            }
        });
        Ok(Table::named("reservations", lines))
    }
}

impl Publications {
    async fn exists(&self, campaign: Uuid, min_position: Option<i64>, wait_ms: u64) -> Answer<()> {
        for read_model in ["campaigns", "coupons"] {
            shows(&self.0, read_model, min_position, wait_ms).await?;
        }
        if campaigns::exists(&self.0.pool, campaign).await? { Ok(()) } else { Err(Kind::CampaignMissing.into()) }
    }
}
