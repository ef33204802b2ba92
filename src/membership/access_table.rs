//! Who has access, by e-mail address, in memory.
//!
//! A partner asks for it on each page view, so the answer must not cost a query. Each
//! process that answers HTTP keeps a table of what every subscription says of access:
//! filled from the read model as of one position of the log, and from there kept by
//! following the log itself, so it is never behind for longer than a wake-up takes.
//! What changed is asked of the aggregate, not guessed from events. The table holds no
//! addresses, only hashes of them; an entry takes less than 200 bytes.
//!
//! Whoever asks while the table is not filled, or while its follower cannot reach the
//! log, is told so and asks the read model instead.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt, future::try_join_all};
use projections::subscriptions::Access;
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{app::App, log::LogError, retry::Backoff, wake::Topic};

/// Positions of the log looked through at a time.
const WINDOW: i64 = 10_000;
/// Subscriptions asked for at a time. The executor loads them in one query.
const AT_ONCE: usize = 256;
/// Between two looks while there is news: under load, more of it is taken in at once.
const PACE: Duration = Duration::from_millis(15);
/// How long after its last look at the log the table is believed. Without news it looks
/// once a second.
const BELIEVED: Duration = Duration::from_secs(5);

/// The table of a process.
pub struct AccessTable {
    entries: RwLock<Entries>,
    progress: watch::Sender<Progress>,
}

impl Default for AccessTable {
    fn default() -> Self {
        let progress = Progress { position: None, looked: Instant::now() };
        Self { entries: RwLock::default(), progress: watch::Sender::new(progress) }
    }
}

/// How far the table is.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// The position up to which it shows the log; none before it is filled.
    position: Option<i64>,
    /// When it looked last.
    looked: Instant,
}

/// Which subscriptions count; none: all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which {
    /// Those that open this channel.
    pub channel: Option<i64>,
    /// Those of this plan.
    pub plan: Option<Uuid>,
}

/// Whether somebody has access, and what says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether they have.
    pub has_access: bool,
    /// Until when, if it ends without further news.
    pub until: Option<DateTime<Utc>>,
    /// By which rule: see [`aggregates::subscription::Rule::as_str`].
    pub rule: Arc<str>,
    /// The subscription that says so; none when they have none that counts.
    pub subscription: Option<Decisive>,
}

/// The subscription that a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decisive {
    /// Its id.
    pub id: Uuid,
    /// Where it stands: see [`aggregates::subscription::Status::as_str`].
    pub status: Arc<str>,
    /// What it opens; none when no plan has its prices.
    pub opens: Option<Arc<Opens>>,
}

/// A plan, as subscriptions know it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opens {
    /// Its id.
    pub plan: Uuid,
    /// What it was called.
    pub name: String,
    /// The channel it opened.
    pub channel: i64,
}

/// The table could not look at the log, or not be filled.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error("{operation} failed")]
    Database { operation: &'static str, source: sqlx::Error },
    #[error("a subscription could not be read")]
    Log(#[from] LogError),
}

fn database(operation: &'static str) -> impl Fn(sqlx::Error) -> FollowError {
    move |source| FollowError::Database { operation, source }
}

impl AccessTable {
    /// Whether somebody has access at a time; none when the table cannot be believed now.
    #[must_use]
    pub fn decide(&self, email: &str, which: Which, now: DateTime<Utc>) -> Option<Decision> {
        if !self.is_believed() {
            return None;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        Some(decide(entries.of(email), which, now))
    }

    /// Whether the table is filled and its follower reaches the log.
    #[must_use]
    pub fn is_believed(&self) -> bool {
        let Progress { position, looked } = *self.progress.borrow();
        position.is_some() && looked.elapsed() <= BELIEVED
    }

    /// Waits until the table shows the log up to a position; answers whether it does.
    pub async fn wait_for(&self, position: i64, deadline: Duration) -> bool {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.position >= Some(position));
        tokio::time::timeout(deadline, reached).await.is_ok_and(|reached| reached.is_ok())
    }

    /// Fills the table and keeps it until told to stop.
    pub async fn follow(&self, app: &App, stop: CancellationToken) {
        let mut wake = app.wake.of(Topic::Events);
        let fresh = || Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        let (mut backoff, mut failing) = (fresh(), false);
        loop {
            wake.mark_unchanged();
            let turn = tokio::select! { turn = self.turn(app) => turn, () = stop.cancelled() => return };
            let rest = async {
                match turn {
                    Ok(more) => {
                        app.metrics.beat("access_table", app.clock.now());
                        if failing {
                            tracing::info!("the table of access follows the log again");
                        }
                        (backoff, failing) = (fresh(), false);
                        if more {
                            tokio::time::sleep(PACE).await;
                        } else {
                            // (Never closed: the app, which we hold, has the other end.)
                            let _ = wake.changed().await;
                        }
                    }
                    Err(error) => {
                        if !failing {
                            let error = &error as &dyn std::error::Error;
                            tracing::warn!(error, "the table of access cannot follow the log; the read model answers");
                        }
                        failing = true;
                        tokio::time::sleep(backoff.wait()).await;
                    }
                }
            };
            tokio::select! { () = rest => {} () = stop.cancelled() => return }
        }
    }

    /// One look at the log, or the filling; answers whether there may be more.
    async fn turn(&self, app: &App) -> Result<bool, FollowError> {
        let position = self.progress.borrow().position;
        let Some(after) = position else {
            self.fill(app).await?;
            return Ok(true);
        };
        let looked = Instant::now();
        let news = sqlx::query!(
            r#"with upto as (select least($1::bigint + $2::bigint, coalesce(max(position), 0)) as position from events)
               select u.position as "position!",
                      array(select distinct aggregate_id from events
                             where position > $1 and position <= u.position and aggregate_type = 'subscription') as "streams!"
                 from upto u"#,
            after,
            WINDOW,
        )
        .fetch_one(&app.pool)
        .await
        .map_err(database("look for changed subscriptions"))?;
        // (Streams of subscriptions are UUIDs; what is called otherwise is nobody's.)
        let ids: Vec<Uuid> = news.streams.iter().filter_map(|stream| stream.parse().ok()).collect();
        for ids in ids.chunks(AT_ONCE) {
            let says = try_join_all(ids.iter().map(|id| says_now(app, *id))).await?;
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            says.into_iter().flatten().for_each(|access| entries.put(access));
        }
        let position = news.position.max(after);
        self.progress.send_replace(Progress { position: Some(position), looked });
        Ok(position > after)
    }

    /// Reads all there is from the read model. One statement, so rows and position belong together.
    async fn fill(&self, app: &App) -> Result<(), FollowError> {
        let looked = Instant::now();
        let (mut entries, mut position) = (Entries::default(), 0);
        let mut rows = sqlx::query!(
            r#"select c.position as "at!", s.id as "id?", s.email, s.status as "status?", s.entitled as "entitled?",
                      s.rule as "rule?", s.rule_after as "rule_after?", s.ends_at, s.plan_id, s.plan_name, s.channel,
                      s.position as "position?"
                 from checkpoints c left join subscriptions s on true where c.feed = 'subscriptions'"#
        )
        .fetch(&app.pool);
        while let Some(row) = rows.try_next().await.map_err(database("read what subscriptions say"))? {
            position = row.at;
            if let (Some(id), Some(status), Some(rule), Some(rule_after)) =
                (row.id, row.status, row.rule, row.rule_after)
            {
                entries.put(Access {
                    id,
                    email: row.email,
                    status,
                    entitled: row.entitled.unwrap_or_default(),
                    rule,
                    rule_after,
                    ends_at: row.ends_at,
                    plan_id: row.plan_id,
                    plan_name: row.plan_name,
                    channel: row.channel,
                    position: row.position.unwrap_or_default(),
                });
            }
        }
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = entries;
        self.progress.send_replace(Progress { position: Some(position), looked });
        Ok(())
    }
}

/// What a subscription says, as of its last event.
async fn says_now(app: &App, id: Uuid) -> Result<Option<Access>, LogError> {
    app.subscriptions.look(&id.to_string(), |state, _, position| Access::of(id, state, position)).await
}

/// The same decision as the table's, from what the read model says of an address.
#[must_use]
pub fn decide_from(rows: Vec<Access>, which: Which, now: DateTime<Utc>) -> Decision {
    let mut entries = Entries::default();
    let says: Vec<(Uuid, Says)> = rows.into_iter().map(|row| (row.id, entries.says(row))).collect();
    decide(says.iter().map(|(id, says)| (*id, says)), which, now)
}

/// An address, folded to lower case and hashed.
type EmailKey = [u8; 16];

fn key(email: &str) -> EmailKey {
    let hash: [u8; 32] = Sha256::digest(email.trim().to_lowercase()).into();
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}

/// What a subscription says.
struct Says {
    entitled: bool,
    until: Option<DateTime<Utc>>,
    status: Arc<str>,
    rule: Arc<str>,
    rule_after: Arc<str>,
    opens: Option<Arc<Opens>>,
    position: i64,
}

#[derive(Default)]
struct Entries {
    by_email: BTreeMap<(EmailKey, Uuid), Says>,
    /// Under which address each subscription stands.
    emails: HashMap<Uuid, EmailKey>,
    /// Each word and each plan, once.
    words: BTreeSet<Arc<str>>,
    plans: BTreeSet<Arc<Opens>>,
}

impl Entries {
    fn of(&self, email: &str) -> impl Iterator<Item = (Uuid, &Says)> {
        let key = key(email);
        self.by_email.range((key, Uuid::nil())..=(key, Uuid::max())).map(|((_, id), says)| (*id, says))
    }

    fn put(&mut self, access: Access) {
        let id = access.id;
        if let Some(old) = self.emails.remove(&id) {
            self.by_email.remove(&(old, id));
        }
        // Whom it belongs to may come to be known later.
        if let Some(email) = &access.email {
            let key = key(email);
            let says = self.says(access);
            self.emails.insert(id, key);
            self.by_email.insert((key, id), says);
        }
    }

    fn says(&mut self, access: Access) -> Says {
        let opens = access.plan_id.zip(access.plan_name).zip(access.channel);
        let opens = opens.map(|((plan, name), channel)| Opens { plan, name, channel });
        Says {
            entitled: access.entitled,
            until: access.ends_at,
            status: self.word(&access.status),
            rule: self.word(&access.rule),
            rule_after: self.word(&access.rule_after),
            opens: opens.map(|opens| self.plan(opens)),
            position: access.position,
        }
    }

    fn word(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.words.get(word) {
            return known.clone();
        }
        let word: Arc<str> = word.into();
        self.words.insert(word.clone());
        word
    }

    fn plan(&mut self, opens: Opens) -> Arc<Opens> {
        if let Some(known) = self.plans.get(&opens) {
            return known.clone();
        }
        let opens = Arc::new(opens);
        self.plans.insert(opens.clone());
        opens
    }
}

impl Says {
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.entitled && self.until.is_some_and(|until| until <= now)
    }

    fn gives_access(&self, now: DateTime<Utc>) -> bool {
        self.entitled && !self.is_over(now)
    }

    fn counts(&self, which: Which) -> bool {
        let opens = self.opens.as_deref();
        which.channel.is_none_or(|channel| opens.is_some_and(|opens| opens.channel == channel))
            && which.plan.is_none_or(|plan| opens.is_some_and(|opens| opens.plan == plan))
    }
}

/// Of several that give access, the one that does longest; of several that do not, the
/// one of which there is the newest news.
fn decide<'a>(says: impl Iterator<Item = (Uuid, &'a Says)>, which: Which, now: DateTime<Utc>) -> Decision {
    let rank = |says: &Says| {
        let until = says.until.unwrap_or(DateTime::<Utc>::MAX_UTC);
        if says.gives_access(now) {
            (true, until, says.position)
        } else {
            (false, DateTime::<Utc>::MIN_UTC, says.position)
        }
    };
    let counting = says.filter(|(_, says)| says.counts(which));
    let Some((id, says)) = counting.max_by_key(|(_, says)| rank(says)) else {
        let rule = aggregates::subscription::Rule::Missing.as_str().into();
        return Decision { has_access: false, until: None, rule, subscription: None };
    };
    let (has_access, over) = (says.gives_access(now), says.is_over(now));
    let status = if over { aggregates::subscription::Status::Ended.as_str().into() } else { says.status.clone() };
    Decision {
        has_access,
        until: says.until.filter(|_| has_access),
        rule: if over { says.rule_after.clone() } else { says.rule.clone() },
        subscription: Some(Decisive { id, status, opens: says.opens.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const CHANNEL: i64 = -100;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn access(id: u128, email: &str, hours: Option<i64>) -> Access {
        Access {
            id: Uuid::from_u128(id),
            email: Some(email.to_owned()),
            status: "active".to_owned(),
            entitled: true,
            rule: "manual_grant".to_owned(),
            rule_after: "grant_over".to_owned(),
            ends_at: hours.map(|hours| now() + TimeDelta::hours(hours)),
            plan_id: Some(Uuid::from_u128(9)),
            plan_name: Some("VIP".to_owned()),
            channel: Some(CHANNEL),
            position: i64::try_from(id).unwrap(),
        }
    }

    fn out(id: u128, email: &str) -> Access {
        let rule = || "revoked".to_owned();
        Access {
            status: "ended".to_owned(),
            entitled: false,
            rule: rule(),
            rule_after: rule(),
            ends_at: None,
            ..access(id, email, None)
        }
    }

    fn by(entries: &Entries, email: &str, which: Which, hours: i64) -> (bool, Option<u128>, String) {
        let decision = decide(entries.of(email), which, now() + TimeDelta::hours(hours));
        let id = decision.subscription.map(|says| says.id.as_u128());
        (decision.has_access, id, decision.rule.to_string())
    }

    #[test]
    fn the_subscription_that_gives_access_longest_decides() {
        let mut entries = Entries::default();
        for says in
            [access(1, "A@b.c", Some(1)), access(2, "a@B.c", Some(3)), out(3, "a@b.c"), access(4, "x@b.c", None)]
        {
            entries.put(says);
        }
        let any = Which::default();
        let is = |access, id, rule: &str| (access, id, rule.to_owned());
        assert_eq!(by(&entries, " a@b.C ", any, 0), is(true, Some(2), "manual_grant"));
        assert_eq!(by(&entries, "a@b.c", any, 3), is(false, Some(3), "revoked"), "of none, the newest news");
        assert_eq!(by(&entries, "x@b.c", any, 1_000_000), is(true, Some(4), "manual_grant"));
        assert_eq!(by(&entries, "y@b.c", any, 0), is(false, None, "missing"));
        let other = Which { channel: Some(-5), plan: None };
        assert_eq!(by(&entries, "a@b.c", other, 0), is(false, None, "missing"));
        let this = Which { channel: Some(CHANNEL), plan: Some(Uuid::from_u128(9)) };
        assert_eq!(by(&entries, "a@b.c", this, 0), is(true, Some(2), "manual_grant"));

        // Another address now; and what is known of it changes.
        entries.put(access(2, "new@b.c", Some(3)));
        assert_eq!(by(&entries, "a@b.c", any, 0), is(true, Some(1), "manual_grant"));
        assert_eq!(by(&entries, "a@b.c", Which { plan: Some(Uuid::nil()), ..any }, 0), is(false, None, "missing"));
        entries.put(out(2, "new@b.c"));
        assert_eq!(by(&entries, "new@b.c", any, 0), is(false, Some(2), "revoked"));
        entries.put(access(1, "a@b.c", Some(1)));
        assert_eq!(by(&entries, "a@b.c", any, 1), is(false, Some(3), "revoked"));
    }

    #[test]
    fn an_entry_takes_less_than_200_bytes() {
        let entry = size_of::<((EmailKey, Uuid), Says)>() + size_of::<(Uuid, EmailKey)>();
        assert!(entry <= 190, "{entry}");
    }
}
