//! Codes that did not do what their senders hoped, and who is locked out.

use aggregates::guard::{Command, Miss};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use futures_util::stream;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Query},
    payload::Json,
    types::Example,
};
use projections::{
    misses::{self, Filter, Row},
    page::{Cursor, Key},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, BotUsersRead, CampaignsRead, CampaignsWrite},
    csv::{Columns, PIECE, Table, line, maybe, pieces, time},
    mutation::{Changed, EXAMPLE_ID, changed, once},
    params::{At, cursor, instant, shows, usual_limit, usual_wait},
    problem::{Answer, Problem},
};
use crate::{app::App, executor::Wish};

/// The longest time that is counted by hours.
const LONGEST: TimeDelta = TimeDelta::days(92);
/// An hour is a spike from so many misses on…
const SPIKE: i64 = 20;
/// …when they are more than so many times what was usual.
const TIMES_USUAL: f64 = 3.0;

pub(super) struct Misses(pub(super) App);

/// Why a code did not do what its sender hoped.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
enum MissReason {
    /// Nobody knows it.
    Unknown,
    /// Its check symbol says that it was typed wrong.
    Mistyped,
    /// The campaign is not open.
    NotOpen,
    /// It starts later.
    NotStarted,
    /// It is over.
    Over,
    /// Nothing is left.
    Exhausted,
    /// The person had it as often as they may.
    PersonLimit,
    /// It is for others.
    NotHolder,
    /// The purchase is too small.
    BelowMinimum,
    /// Somebody had it.
    CodeUsed,
    /// It was taken back.
    CodeRevoked,
    /// The campaign's questions were not answered.
    Unanswered,
    /// It does not go with its reservation.
    Reservation,
}

impl From<MissReason> for Miss {
    fn from(reason: MissReason) -> Self {
        match reason {
            MissReason::Unknown => Self::Unknown,
            MissReason::Mistyped => Self::Mistyped,
            MissReason::NotOpen => Self::NotOpen,
            MissReason::NotStarted => Self::NotStarted,
            MissReason::Over => Self::Over,
            MissReason::Exhausted => Self::Exhausted,
            MissReason::PersonLimit => Self::PersonLimit,
            MissReason::NotHolder => Self::NotHolder,
            MissReason::BelowMinimum => Self::BelowMinimum,
            MissReason::CodeUsed => Self::CodeUsed,
            MissReason::CodeRevoked => Self::CodeRevoked,
            MissReason::Unanswered => Self::Unanswered,
            MissReason::Reservation => Self::Reservation,
        }
    }
}

/// A code that did not do what its sender hoped. The code itself is not kept: it may be a good one of somebody else.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct MissedCode {
    /// Of its event in the log.
    position: i64,
    /// When it was tried.
    at: DateTime<Utc>,
    /// By whom: their pseudonym.
    person: Uuid,
    /// Of which campaign the code was, when it was of one.
    campaign_id: Option<Uuid>,
    /// Why: a word of `MissReason`.
    reason: String,
    /// Through which door: `bot` or `api`.
    source: String,
}

impl Example for MissedCode {
    fn example() -> Self {
        Self {
            position: 1042,
            at: DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default(),
            person: Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a),
            campaign_id: Some(Uuid::from_u128(EXAMPLE_ID)),
            reason: "code_used".to_owned(),
            source: "bot".to_owned(),
        }
    }
}

impl From<Row> for MissedCode {
    fn from(row: Row) -> Self {
        let Row { position, at, person, campaign_id, reason, source } = row;
        Self { position, at, person, campaign_id, reason, source }
    }
}

/// A page of misses.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct MissPage {
    /// The misses.
    items: Vec<MissedCode>,
    /// The `cursor` of the next page; missing on the last one.
    next_cursor: Option<String>,
}

impl Example for MissPage {
    fn example() -> Self {
        let cursor = Cursor { key: Key::Number(1042), id: Uuid::from_u128(EXAMPLE_ID + 1) };
        Self { items: vec![MissedCode::example()], next_cursor: Some(cursor.to_string()) }
    }
}

/// The misses of an hour.
#[derive(Object)]
struct MissHour {
    /// Its first instant, in UTC.
    hour: DateTime<Utc>,
    /// How many there were.
    misses: i64,
    /// How many of them were codes that nobody knows: what guessing looks like.
    unknown: i64,
    /// What was usual: the mean of the 24 hours before it.
    usual: f64,
    /// Whether it stands out: at least 20 misses, and more than 3 times what was usual.
    spike: bool,
}

/// Misses by hour.
#[derive(Object)]
#[oai(example)]
struct MissHours {
    /// Every hour of the time asked for, in order, also those without any.
    items: Vec<MissHour>,
}

impl Example for MissHours {
    fn example() -> Self {
        let hour = DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default();
        Self { items: vec![MissHour { hour, misses: 211, unknown: 209, usual: 3.5, spike: true }] }
    }
}

/// Somebody whose codes the bot does not look at for a while.
#[derive(Object)]
#[oai(example)]
struct Lockout {
    /// Their pseudonym.
    person: Uuid,
    /// Since when.
    since: DateTime<Utc>,
    /// Until when.
    until: DateTime<Utc>,
    /// How many in a row it is; each lasts twice as long as the one before, a day at the most.
    in_a_row: i32,
}

impl Example for Lockout {
    fn example() -> Self {
        Self {
            person: Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a),
            since: DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default(),
            until: DateTime::from_timestamp(1_800_004_500, 0).unwrap_or_default(),
            in_a_row: 1,
        }
    }
}

/// Who is locked out.
#[derive(Object)]
#[oai(example)]
struct Lockouts {
    /// Those who are longest first; at most 1,000.
    items: Vec<Lockout>,
}

impl Example for Lockouts {
    fn example() -> Self {
        Self { items: vec![Lockout::example()] }
    }
}

struct MissTable;

impl Columns for MissTable {
    const NAMES: &'static str = "position,at,person,campaign_id,reason,source";
    const EXAMPLE: &'static str = "1042,2027-01-15T09:00:00.000000Z,5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,\
                                   01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,code_used,bot";
}

fn row_line(row: &Row) -> String {
    line(&[
        &row.position.to_string(),
        &time(row.at),
        &row.person.to_string(),
        &maybe(row.campaign_id),
        &row.reason,
        &row.source,
    ])
}

struct HourTable;

impl Columns for HourTable {
    const NAMES: &'static str = "hour,misses,unknown,usual,spike";
    const EXAMPLE: &'static str = "2027-01-15T09:00:00.000000Z,211,209,3.5,true";
}

fn hour_line(hour: &MissHour) -> String {
    line(&[
        &time(hour.hour),
        &hour.misses.to_string(),
        &hour.unknown.to_string(),
        &hour.usual.to_string(),
        &hour.spike.to_string(),
    ])
}

struct LockoutTable;

impl Columns for LockoutTable {
    const NAMES: &'static str = "person,since,until,in_a_row";
    const EXAMPLE: &'static str =
        "5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,2027-01-15T09:00:00.000000Z,2027-01-15T09:15:00.000000Z,1";
}

fn lockout_line(row: &misses::Lockout) -> String {
    line(&[&row.person.to_string(), &time(row.since), &time(row.until), &row.in_a_row.to_string()])
}

#[OpenApi(tag = "Tags::Coupons")]
impl Misses {
    /// List failed attempts
    ///
    /// Codes that somebody tried to redeem, reserve or check, and that did not do what they hoped; the newest first.
    #[oai(path = "/misses", method = "get", operation_id = "listMisses")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// Only of codes of the campaign with this id.
        campaign: Query<Option<Uuid>>,
        /// Only by the person with this pseudonym.
        person: Query<Option<Uuid>>,
        /// Only for this reason.
        reason: Query<Option<MissReason>>,
        /// Only at or after this instant.
        since: Query<Option<DateTime<Utc>>>,
        /// Only before this instant.
        until: Query<Option<DateTime<Utc>>>,
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
    ) -> Answer<Json<MissPage>> {
        let filter = filter(campaign.0, person.0, reason.0, since.0, until.0)?;
        let after = self::cursor(cursor.0.as_ref(), |cursor| matches!(cursor.key, Key::Number(_)))?;
        shows(&self.0, "misses", min_position.0, wait_ms.0).await?;
        let page = misses::list(&self.0.pool, &filter, after.as_ref(), limit.0).await?;
        Ok(Json(MissPage {
            items: page.rows.into_iter().map(MissedCode::from).collect(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export failed attempts
    ///
    /// All that match the filters, the newest first, as CSV.
    #[oai(path = "/misses.csv", method = "get", operation_id = "exportMisses")]
    async fn export(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// Only of codes of the campaign with this id.
        campaign: Query<Option<Uuid>>,
        /// Only by the person with this pseudonym.
        person: Query<Option<Uuid>>,
        /// Only for this reason.
        reason: Query<Option<MissReason>>,
        /// Only at or after this instant.
        since: Query<Option<DateTime<Utc>>>,
        /// Only before this instant.
        until: Query<Option<DateTime<Utc>>>,
    ) -> Answer<Table<MissTable>> {
        let filter = filter(campaign.0, person.0, reason.0, since.0, until.0)?;
        let pool = self.0.pool.clone();
        let lines = pieces(move |after: Option<Cursor>| {
            let (pool, filter) = (pool.clone(), filter.clone());
            async move {
                let page = misses::list(&pool, &filter, after.as_ref(), PIECE).await?;
                Ok::<_, sqlx::Error>((page.rows.iter().map(row_line).collect(), page.next))
            }
        });
        Ok(Table::named("misses", lines))
    }

    /// Show failed attempts by hour
    ///
    /// With the hours that stand out: a spike of codes that nobody knows is somebody who guesses. Without `since`, the
    /// last 48 hours.
    #[oai(path = "/misses/hours", method = "get", operation_id = "getMissHours")]
    async fn hours(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// Only of codes of the campaign with this id.
        campaign: Query<Option<Uuid>>,
        /// From the hour of this instant on.
        since: Query<Option<DateTime<Utc>>>,
        /// Until the hour before this instant; now without it. At most 92 days after `since`.
        until: Query<Option<DateTime<Utc>>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<MissHours>> {
        shows(&self.0, "misses", min_position.0, wait_ms.0).await?;
        Ok(Json(MissHours { items: self.by_hour(campaign.0, since.0, until.0).await? }))
    }

    /// Export failed attempts by hour
    ///
    /// The same as `getMissHours`, as CSV.
    #[oai(path = "/misses/hours.csv", method = "get", operation_id = "exportMissHours")]
    async fn export_hours(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// Only of codes of the campaign with this id.
        campaign: Query<Option<Uuid>>,
        /// From the hour of this instant on.
        since: Query<Option<DateTime<Utc>>>,
        /// Until the hour before this instant; now without it. At most 92 days after `since`.
        until: Query<Option<DateTime<Utc>>>,
    ) -> Answer<Table<HourTable>> {
        let hours = self.by_hour(campaign.0, since.0, until.0).await?;
        let lines: String = hours.iter().map(hour_line).collect();
        Ok(Table::named("miss-hours", stream::iter([Ok::<_, sqlx::Error>(lines)])))
    }

    /// List who is locked out
    ///
    /// People whose codes the bot does not look at for a while, because they sent too many that were no good.
    #[oai(path = "/lockouts", method = "get", operation_id = "listLockouts")]
    async fn lockouts(
        &self,
        _caller: Allowed<BotUsersRead>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<Lockouts>> {
        shows(&self.0, "misses", min_position.0, wait_ms.0).await?;
        let rows = misses::locked_out(&self.0.pool, self.0.clock.now()).await?;
        let lockout = |row: misses::Lockout| Lockout {
            person: row.person,
            since: row.since,
            until: row.until,
            in_a_row: row.in_a_row,
        };
        Ok(Json(Lockouts { items: rows.into_iter().map(lockout).collect() }))
    }

    /// Export who is locked out
    ///
    /// The same as `listLockouts`, as CSV.
    #[oai(path = "/lockouts.csv", method = "get", operation_id = "exportLockouts")]
    async fn export_lockouts(&self, _caller: Allowed<BotUsersRead>) -> Answer<Table<LockoutTable>> {
        let rows = misses::locked_out(&self.0.pool, self.0.clock.now()).await?;
        let lines: String = rows.iter().map(lockout_line).collect();
        Ok(Table::named("lockouts", stream::iter([Ok::<_, sqlx::Error>(lines)])))
    }

    /// Let somebody try again
    ///
    /// Ends their lock-out, if they are locked out.
    #[oai(path = "/lockouts/:id/lift", method = "post", operation_id = "liftLockout")]
    async fn lift(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The person's pseudonym.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        let once = once(&caller, idempotency_key.0, &["lift", &id.0.to_string()])?;
        let command = Command::Lift { at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        changed(&self.0.guards.send(&id.0.to_string(), wish).await?)
    }
}

impl Misses {
    async fn by_hour(
        &self,
        campaign: Option<Uuid>,
        since: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Answer<Vec<MissHour>> {
        let until = instant("until", until)?.unwrap_or_else(|| self.0.clock.now());
        let since = instant("since", since)?.unwrap_or(until - TimeDelta::hours(47));
        // Of a usual instant there always is an hour.
        let since = since.duration_trunc(TimeDelta::hours(1)).unwrap_or(since);
        if since > until || until - since > LONGEST {
            return Err(Problem::input("until", "must be after since, and at most 92 days later"));
        }
        let hours = misses::hours(&self.0.pool, campaign, since, until).await?;
        let hour = |hour: misses::Hour| MissHour {
            spike: hour.misses >= SPIKE && hour.misses as f64 > TIMES_USUAL * hour.usual,
            hour: hour.hour,
            misses: hour.misses,
            unknown: hour.unknown,
            usual: hour.usual,
        };
        Ok(hours.into_iter().map(hour).collect())
    }
}

fn filter(
    campaign: Option<Uuid>,
    person: Option<Uuid>,
    reason: Option<MissReason>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
) -> Answer<Filter> {
    Ok(Filter {
        campaign,
        person,
        reason: reason.map(|reason| Miss::from(reason).as_str().to_owned()),
        since: instant("since", since)?,
        until: instant("until", until)?,
    })
}
