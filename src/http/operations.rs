//! Feeds and jobs: what is behind, what is stuck, and what to do about it.

use chrono::{DateTime, Utc};
use futures_util::stream;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, param::Query, payload::Json, types::Example};

use super::{
    Tags,
    auth::{Allowed, Operations as NeedsOperations},
    csv::{Columns, PIECE, Table, line, pieces, time},
    params::{At, usual_limit},
    problem::{Answer, Kind, Problem},
};
use crate::{
    app::App,
    feed,
    jobs::admin::{self, Decision, Row, State},
    wake::Topic,
};

pub(super) struct Operations(pub(super) App);

/// Where a job stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
enum JobState {
    /// Can be worked now.
    Ready,
    /// Waits for its time.
    Later,
    /// Is being worked.
    Running,
    /// Failed for good; waits for a person.
    Dead,
}

impl From<JobState> for State {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Ready => Self::Ready,
            JobState::Later => Self::Later,
            JobState::Running => Self::Running,
            JobState::Dead => Self::Dead,
        }
    }
}

/// A job: one effect on the world. What exactly it does is not shown, as it may hold personal data.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Job {
    /// Its id.
    id: i64,
    /// What it does.
    kind: String,
    /// Where it stands: `ready`, `later`, `running` or `dead`.
    state: String,
    /// Tries so far.
    attempts: i32,
    /// Tries before it is dead.
    max_attempts: i32,
    /// When it was enqueued.
    created_at: DateTime<Utc>,
    /// When it is tried next.
    run_at: DateTime<Utc>,
    /// Since when it is dead.
    dead_at: Option<DateTime<Utc>>,
    /// What the last try said.
    last_error: Option<String>,
    /// What led to it.
    causation: String,
}

impl Example for Job {
    fn example() -> Self {
        let time = |seconds: i64| DateTime::from_timestamp(1_800_003_600 + seconds, 0).unwrap_or_default();
        Self {
            id: 815,
            kind: "telegram_message".to_owned(),
            state: "dead".to_owned(),
            attempts: 10,
            max_attempts: 10,
            created_at: time(0),
            run_at: time(7_200),
            dead_at: Some(time(7_201)),
            last_error: Some("to be tried again: Telegram did not answer sendMessage".to_owned()),
            causation: "event:1042".to_owned(),
        }
    }
}

impl From<Row> for Job {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            state: row.state,
            attempts: row.attempts,
            max_attempts: row.max_attempts,
            created_at: row.created_at,
            run_at: row.run_at,
            dead_at: row.dead_at,
            last_error: row.last_error,
            causation: row.causation,
        }
    }
}

/// A page of jobs.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct JobPage {
    /// The jobs, in the order they were enqueued.
    items: Vec<Job>,
    /// The `cursor` of the next page; missing on the last one.
    next_cursor: Option<String>,
}

impl Example for JobPage {
    fn example() -> Self {
        Self { items: vec![Job::example()], next_cursor: Some("815".to_owned()) }
    }
}

/// Where a feed stands.
#[derive(Object)]
struct Feed {
    /// Its name: of the read model it fills, or of the reaction it drives.
    name: String,
    /// The last position it consumed.
    position: i64,
    /// Events it has not consumed.
    lag_events: i64,
    /// Age of the oldest of them, in seconds.
    lag_seconds: f64,
}

/// Where all feeds stand.
#[derive(Object)]
#[oai(example)]
struct Feeds {
    /// The feeds.
    items: Vec<Feed>,
}

impl Example for Feeds {
    fn example() -> Self {
        let feed = Feed { name: "campaigns".to_owned(), position: 1042, lag_events: 0, lag_seconds: 0.0 };
        Self { items: vec![feed] }
    }
}

struct JobTable;

impl Columns for JobTable {
    const NAMES: &'static str = "id,kind,state,attempts,max_attempts,created_at,run_at,dead_at,last_error,causation";
    const EXAMPLE: &'static str = "815,telegram_message,ready,0,10,2027-01-15T09:00:00.000000Z,2027-01-15T09:00:00.000000Z,,,\
                                   event:1042";
}

fn job_line(row: &Row) -> String {
    line(&[
        &row.id.to_string(),
        &row.kind,
        &row.state,
        &row.attempts.to_string(),
        &row.max_attempts.to_string(),
        &time(row.created_at),
        &time(row.run_at),
        &row.dead_at.map(time).unwrap_or_default(),
        row.last_error.as_deref().unwrap_or_default(),
        &row.causation,
    ])
}

struct FeedTable;

impl Columns for FeedTable {
    const NAMES: &'static str = "name,position,lag_events,lag_seconds";
    const EXAMPLE: &'static str = "campaigns,1042,0,0";
}

#[derive(ApiResponse)]
enum Decided {
    /// As wished.
    #[oai(status = 204)]
    Done,
}

fn decided(decision: Decision) -> Answer<Decided> {
    match decision {
        Decision::Done => Ok(Decided::Done),
        Decision::Missing => Err(Kind::JobMissing.into()),
        Decision::Running => Err(Kind::JobRunning.into()),
    }
}

#[OpenApi(tag = "Tags::Operations")]
impl Operations {
    /// List feeds
    ///
    /// How far each read model and each reaction has come in the log.
    #[oai(path = "/feeds", method = "get", operation_id = "listFeeds")]
    async fn feeds(&self, _caller: Allowed<NeedsOperations>) -> Answer<Json<Feeds>> {
        let standings = feed::standings(&self.0.pool).await?;
        let items = standings.into_iter().map(|feed| Feed {
            name: feed.feed,
            position: feed.position,
            lag_events: feed.lag_events,
            lag_seconds: feed.lag_seconds,
        });
        Ok(Json(Feeds { items: items.collect() }))
    }

    /// Export feeds
    ///
    /// The same as `listFeeds`, as CSV.
    #[oai(path = "/feeds.csv", method = "get", operation_id = "exportFeeds")]
    async fn export_feeds(&self, _caller: Allowed<NeedsOperations>) -> Answer<Table<FeedTable>> {
        let standings = feed::standings(&self.0.pool).await?;
        let row = |feed: &feed::Standing| {
            line(&[&feed.feed, &feed.position.to_string(), &feed.lag_events.to_string(), &feed.lag_seconds.to_string()])
        };
        let lines: String = standings.iter().map(row).collect();
        Ok(Table::named("feeds", stream::iter([Ok::<_, sqlx::Error>(lines)])))
    }

    /// Export jobs
    ///
    /// All that match the filters of `listJobs`, in the same order, as CSV.
    #[oai(path = "/jobs.csv", method = "get", operation_id = "exportJobs")]
    async fn export_jobs(
        &self,
        _caller: Allowed<NeedsOperations>,
        /// Only in this state.
        state: Query<Option<JobState>>,
        /// Only of this kind.
        kind: Query<Option<String>>,
    ) -> Answer<Table<JobTable>> {
        let (pool, state, kind) = (self.0.pool.clone(), state.0.map(State::from), kind.0);
        let lines = pieces(move |after: Option<i64>| {
            let (pool, kind) = (pool.clone(), kind.clone());
            async move {
                let rows = admin::list(&pool, state, kind.as_deref(), after.unwrap_or(0), PIECE).await?;
                let more = rows.last().filter(|_| rows.len() as i64 == PIECE).map(|row| row.id);
                Ok::<_, sqlx::Error>((rows.iter().map(job_line).collect(), more))
            }
        });
        Ok(Table::named("jobs", lines))
    }

    /// List jobs
    ///
    /// Those there are: a job that is done is deleted. Dead ones wait for a decision.
    #[oai(path = "/jobs", method = "get", operation_id = "listJobs")]
    async fn jobs(
        &self,
        _caller: Allowed<NeedsOperations>,
        /// Only in this state.
        state: Query<Option<JobState>>,
        /// Only of this kind.
        kind: Query<Option<String>>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Answer<Json<JobPage>> {
        let after = match &cursor.0 {
            None => 0,
            Some(text) => text
                .parse()
                .ok()
                .filter(|id| *id >= 0)
                .ok_or_else(|| Problem::input("cursor", "is not a cursor of this list"))?,
        };
        let state = state.0.map(State::from);
        let mut rows = admin::list(&self.0.pool, state, kind.0.as_deref(), after, limit.0 + 1).await?;
        let more = rows.len() as i64 > limit.0;
        rows.truncate(usize::try_from(limit.0).unwrap_or_default());
        let next_cursor = rows.last().filter(|_| more).map(|row| row.id.to_string());
        Ok(Json(JobPage { items: rows.into_iter().map(Job::from).collect(), next_cursor }))
    }

    /// Try a job again
    ///
    /// Gives a dead or waiting job all its tries again, from now on.
    ///
    /// Problems: job-missing, job-running
    #[oai(path = "/jobs/:id/retry", method = "post", operation_id = "retryJob")]
    async fn retry(
        &self,
        _caller: Allowed<NeedsOperations>,
        /// The job's id.
        id: At<i64>,
    ) -> Answer<Decided> {
        let decision = admin::retry(&self.0.pool, id.0).await?;
        self.0.wake.up(Topic::Jobs);
        decided(decision)
    }

    /// Drop a job
    ///
    /// Its effect will not happen.
    ///
    /// Problems: job-missing, job-running
    #[oai(path = "/jobs/:id", method = "delete", operation_id = "dropJob")]
    async fn discard(
        &self,
        _caller: Allowed<NeedsOperations>,
        /// The job's id.
        id: At<i64>,
    ) -> Answer<Decided> {
        decided(admin::drop(&self.0.pool, id.0).await?)
    }
}
