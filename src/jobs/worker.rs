//! Working jobs: claim under a lease, perform, finish or try again.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sqlx::{Connection, PgConnection, PgPool, Row};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Job, JobError, NewJob, enqueue, perform,
    tries::{LEAST_TRIES, LONGEST_WAIT},
};
use crate::{app::App, retry::Backoff, stripe::events, wake::Topic};

/// Jobs of one worker at a time.
const SLOTS: usize = 32;
/// Between two looks when nothing wakes the worker: due retries and lanes that
/// were freed elsewhere.
const POLL: Duration = Duration::from_millis(250);
/// How often a worker tries to write down what became of a job.
const OUTCOME_TRIES: u32 = 5;
/// Waits between tries grow from this one.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// A job in this worker's hands.
pub(super) struct Claimed {
    pub(super) id: i64,
    pub(super) kind: String,
    pub(super) job: Result<Job, String>,
    lane: Option<String>,
    /// When it was enqueued.
    pub(super) created_at: DateTime<Utc>,
    pub(super) correlation: Uuid,
    pub(super) attempts: i32,
    pub(super) max_attempts: i32,
    /// How long ago it was enqueued, by the database's clock.
    age: Duration,
}

impl Claimed {
    /// Whether this was its last try.
    fn is_last_try(&self) -> bool {
        let is_over = match self.job.as_ref().ok().and_then(Job::patience) {
            Some(patience) => self.age > patience && self.attempts >= LEAST_TRIES,
            None => false,
        };
        is_over || self.attempts >= self.max_attempts
    }

    fn longest_wait(&self) -> Duration {
        self.job.as_ref().map_or(LONGEST_WAIT, Job::longest_wait)
    }
}

/// Works jobs of some kinds in one process.
pub struct Worker {
    app: App,
    id: Uuid,
    /// Of its heartbeat.
    name: &'static str,
    /// Kinds this program does not know are left to a newer one.
    kinds: &'static [&'static str],
    /// The jobs in its hands. A job that is locked by it and not here was lost
    /// on the way (a claim or an outcome that did not arrive): its lease must run out.
    held: Mutex<HashSet<i64>>,
}

impl Worker {
    /// A worker for each group of jobs that must not wait for another.
    pub fn all(app: &App) -> impl Iterator<Item = Self> {
        Job::GROUPS.into_iter().map(|(name, kinds)| Self::new(app.clone(), name, kinds))
    }

    fn new(app: App, name: &'static str, kinds: &'static [&'static str]) -> Self {
        let id = app.clock.new_id();
        Self { app, id, name, kinds, held: Mutex::default() }
    }

    /// Works until told to stop; then waits `grace` for running jobs and gives
    /// back what is not done.
    pub async fn run(self, stop: CancellationToken, grace: Duration) {
        let worker = Arc::new(self);
        let keeper = tokio::spawn(worker.clone().keep_leases());
        let mut running: JoinSet<()> = JoinSet::new();
        let mut wake = worker.app.wake.of(Topic::Jobs);
        while !stop.is_cancelled() {
            wake.mark_unchanged();
            worker.app.metrics.beat(worker.name, worker.app.clock.now());
            let claimed = match worker.claim(SLOTS.saturating_sub(running.len())).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot claim jobs");
                    tokio::time::sleep(POLL).await;
                    vec![]
                }
            };
            let more = !claimed.is_empty() && claimed.len() + running.len() < SLOTS;
            for job in claimed {
                worker.held().insert(job.id);
                running.spawn(worker.clone().work(job));
            }
            if more {
                continue;
            }
            tokio::select! {
                // A finished job frees a slot, and perhaps its lane.
                Some(_) = running.join_next() => {}
                _ = wake.changed(), if running.len() < SLOTS => {}
                () = tokio::time::sleep(POLL), if running.len() < SLOTS => {}
                () = stop.cancelled() => {}
            }
            while running.try_join_next().is_some() {}
        }
        let drain = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, drain).await.is_err() {
            running.shutdown().await;
        }
        keeper.abort();
        if let Err(error) = worker.give_back().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "jobs were not given back; their leases run out");
        }
    }

    fn held(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease(&self) -> f64 {
        self.app.config.job_lease.as_secs_f64()
    }

    async fn claim(&self, slots: usize) -> Result<Vec<Claimed>, sqlx::Error> {
        if slots == 0 {
            return Ok(vec![]);
        }
        let rows = sqlx::query(
            // Materialized: a plan that asked for the due ones again and again would take more than wanted.
            "with due as materialized ( \
                 select j.id from unnest($4::text[]) k (kind) cross join lateral \
                     (select id, run_at from jobs \
                       where jobs.kind = k.kind and dead_at is null and not blocked and run_at <= now() \
                         and (locked_until is null or locked_until < now()) and attempts < max_attempts \
                       order by run_at, id limit $3 for update skip locked) j \
                  order by j.run_at, j.id limit $3) \
             update jobs set attempts = attempts + 1, locked_by = $1, locked_until = now() + $2 * interval '1 second' \
               from due where jobs.id = due.id \
             returning jobs.id, kind, payload::text as payload, lane, created_at, correlation_id, attempts, max_attempts, \
                       extract(epoch from now() - created_at)::float8 as age",
        )
        .bind(self.id)
        .bind(self.lease())
        .bind(slots as i64)
        .bind(self.kinds)
        .fetch_all(&self.app.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let kind: String = row.try_get("kind")?;
                let payload: &str = row.try_get("payload")?;
                // Said in words of its own: serde's message can quote the payload.
                let job = serde_json::from_str(&format!(r#"{{"kind":"{kind}","payload":{payload}}}"#))
                    .map_err(|error| format!("not a job this program knows ({:?})", error.classify()));
                Ok(Claimed {
                    id: row.try_get("id")?,
                    job,
                    correlation: row.try_get("correlation_id")?,
                    lane: row.try_get("lane")?,
                    created_at: row.try_get("created_at")?,
                    attempts: row.try_get("attempts")?,
                    max_attempts: row.try_get("max_attempts")?,
                    age: Duration::try_from_secs_f64(row.try_get("age")?).unwrap_or_default(),
                    kind,
                })
            })
            .collect()
    }

    async fn work(self: Arc<Self>, claimed: Claimed) {
        let _in_hand = InHand { worker: self.clone(), job: claimed.id };
        let started = tokio::time::Instant::now();
        let performed = match &claimed.job {
            // A panic in one job must not take the others with it.
            Ok(job) => std::panic::AssertUnwindSafe(perform::perform(&self.app, &claimed, job))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(JobError::Retry { reason: "the job panicked".to_owned(), after: None })),
            Err(reason) => Err(JobError::Retry { reason: reason.clone(), after: None }),
        };
        let outcome = match &performed {
            Ok(_) => "done",
            Err(JobError::Later { .. }) => "later",
            Err(JobError::Retry { .. }) if !claimed.is_last_try() => "retry",
            Err(JobError::Retry { .. } | JobError::Fail { .. }) => "dead",
        };
        let kind = claimed.kind.as_str();
        self.app.metrics.jobs.with_label_values(&[kind, outcome]).inc();
        self.app.metrics.job_seconds.with_label_values(&[kind]).observe(started.elapsed().as_secs_f64());
        match &performed {
            Err(error) if outcome == "dead" => tracing::error!(job = claimed.id, kind, %error, "a job is dead"),
            Err(error) => tracing::debug!(job = claimed.id, kind, %error, "a job is not done"),
            Ok(_) => tracing::debug!(job = claimed.id, kind, "a job is done"),
        }
        self.keep_outcome(&claimed, &performed, outcome).await;
    }

    /// Writes down what became of a job. Insists for a while: a job whose
    /// outcome is not kept is worked again when its lease has run out.
    async fn keep_outcome(&self, claimed: &Claimed, performed: &Result<Vec<Job>, JobError>, outcome: &str) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        for _ in 0..OUTCOME_TRIES {
            let kept = match performed {
                Ok(follow) => self.finish(claimed, follow).await,
                Err(error) => self.put_back(claimed, error, outcome).await,
            };
            let Err(error) = kept else { return };
            let (job, kind) = (claimed.id, claimed.kind.as_str());
            tracing::warn!(job, kind, error = &error as &dyn std::error::Error, "a job's outcome was not kept");
            tokio::time::sleep(backoff.wait()).await;
        }
    }

    /// Deletes the job and enqueues what follows from it, in one transaction.
    async fn finish(&self, claimed: &Claimed, follow: &[Job]) -> Result<(), sqlx::Error> {
        let mut transaction = self.app.pool.begin().await?;
        lock_lane(&mut transaction, &claimed.lane).await?;
        // Fenced: whoever lost its lease has no say any more.
        let deleted = sqlx::query!("delete from jobs where id = $1 and locked_by = $2", claimed.id, self.id)
            .execute(&mut *transaction)
            .await?;
        if deleted.rows_affected() == 0 {
            return Ok(());
        }
        open_lane(&mut transaction, &claimed.lane).await?;
        let follow: Vec<NewJob> = follow
            .iter()
            .map(|job| NewJob {
                job: job.clone(),
                correlation: claimed.correlation,
                causation: format!("job:{}", claimed.id),
            })
            .collect();
        enqueue(&mut transaction, &follow).await?;
        transaction.commit().await?;
        if !follow.is_empty() {
            self.app.wake.up(Topic::Jobs);
        }
        Ok(())
    }

    async fn put_back(&self, claimed: &Claimed, error: &JobError, outcome: &str) -> Result<(), sqlx::Error> {
        let attempts = u32::try_from(claimed.attempts).unwrap_or(1);
        let wait = match error {
            JobError::Later { after, .. } => *after,
            JobError::Retry { after, .. } => {
                Backoff::after(attempts, FIRST_WAIT, claimed.longest_wait()).max(after.unwrap_or_default())
            }
            JobError::Fail { .. } => Duration::ZERO,
        };
        let mut transaction = self.app.pool.begin().await?;
        lock_lane(&mut transaction, &claimed.lane).await?;
        let kept = sqlx::query!(
            "update jobs set locked_by = null, locked_until = null, last_error = $3, \
                             run_at = now() + $4 * interval '1 second', attempts = attempts - $5, \
                             dead_at = case when $6 then now() end \
              where id = $1 and locked_by = $2",
            claimed.id,
            self.id,
            error.to_string(),
            wait.as_secs_f64(),
            i32::from(outcome == "later"),
            outcome == "dead",
        )
        .execute(&mut *transaction)
        .await?;
        if let (Ok(Job::StripeEvent { event }), true) = (&claimed.job, outcome == "dead" && kept.rows_affected() > 0) {
            events::give_up(&mut transaction, event, &error.to_string(), self.app.clock.now()).await?;
        }
        open_lane(&mut transaction, &claimed.lane).await?;
        transaction.commit().await
    }

    /// Extends the leases of running jobs, and buries those whose worker died
    /// while it had its last try at them. On a connection of its own: a lease
    /// must not run out because the jobs themselves keep the pool busy.
    async fn keep_leases(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(self.app.config.job_lease / 3);
        let mut own: Option<PgConnection> = None;
        loop {
            ticks.tick().await;
            let kept = async {
                let mut connection = match own.take() {
                    Some(connection) => connection,
                    None => PgConnection::connect_with(&self.app.options).await?,
                };
                let held: Vec<i64> = self.held().iter().copied().collect();
                self.keep(&mut connection, &held).await?;
                own = Some(connection);
                Ok::<_, sqlx::Error>(())
            };
            if let Err(error) = kept.await {
                tracing::warn!(error = &error as &dyn std::error::Error, "leases of jobs were not extended");
            }
        }
    }

    async fn keep(&self, connection: &mut PgConnection, held: &[i64]) -> Result<(), sqlx::Error> {
        sqlx::query(
            "update jobs set locked_until = now() + $2 * interval '1 second' where locked_by = $1 and id = any ($3)",
        )
        .bind(self.id)
        .bind(self.lease())
        .bind(held)
        .execute(&mut *connection)
        .await?;
        let buried: Vec<Option<String>> = sqlx::query_scalar(
            "with buried as ( \
                 update jobs set dead_at = now(), locked_by = null, locked_until = null, last_error = $2 \
                  where dead_at is null and attempts >= max_attempts and locked_until < now() and not id = any ($1) \
                 returning kind, payload, lane), \
             noted as ( \
                 update stripe_events set outcome = 'given up: ' || $2, worked_at = now() from buried \
                  where buried.kind = 'stripe_event' and stripe_events.id = buried.payload->>'event') \
             select lane from buried",
        )
        .bind(held)
        .bind("failed: the process died during the last try")
        .fetch_all(&mut *connection)
        .await?;
        for lane in buried {
            let mut transaction = connection.begin().await?;
            lock_lane(&mut transaction, &lane).await?;
            open_lane(&mut transaction, &lane).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    async fn give_back(&self) -> Result<(), sqlx::Error> {
        give_back(&self.app.pool, self.id).await
    }
}

/// Ends the extension of a job's lease, however the work on it ends.
struct InHand {
    worker: Arc<Worker>,
    job: i64,
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.worker.held().remove(&self.job);
    }
}

pub(super) async fn lock_lane(connection: &mut PgConnection, lane: &Option<String>) -> Result<(), sqlx::Error> {
    if let Some(lane) = lane {
        sqlx::query!("select lock_lanes($1)", std::slice::from_ref(lane)).execute(connection).await?;
    }
    Ok(())
}

pub(super) async fn open_lane(connection: &mut PgConnection, lane: &Option<String>) -> Result<(), sqlx::Error> {
    if let Some(lane) = lane {
        sqlx::query!("select open_lane($1)", lane).execute(connection).await?;
    }
    Ok(())
}

async fn give_back(pool: &PgPool, worker: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update jobs set locked_by = null, locked_until = null, attempts = attempts - 1 where locked_by = $1",
        worker
    )
    .execute(pool)
    .await?;
    Ok(())
}
