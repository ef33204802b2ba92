//! Codes that did not do what their senders hoped, and who is locked out.

use aggregates::guard::{Command, Miss};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use futures_util::stream;
use poem_openapi::{
    OpenApi,
    param::{Header, Query},
    payload::Json,
};
use projections::{
    misses::{self, Filter},
    page::{Cursor, Key},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, BotUsersRead, CampaignsRead, CampaignsWrite},
    csv::{PIECE, Table, pieces},
    miss_json::{
        HourTable, Lockout, LockoutTable, Lockouts, MissHour, MissHours, MissPage, MissReason, MissTable, MissedCode,
        hour_line, lockout_line, row_line,
    },
    mutation::{Changed, changed, once},
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
