//! The steps of a process as the world sees them, and its death at any one of them: each call of
//! Telegram or Stripe goes through a gate, and each row that is written to the log, or to or from
//! the jobs, through a trigger.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use poem::{Body, Endpoint, Request, Response, Server, http::StatusCode, listener::TcpAcceptor};
use promostack::integrations::http_client;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::{net::TcpListener, task::JoinSet};

use super::{Process, eventually};

/// On which side of a step a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The call does not arrive; the transaction is rolled back.
    Before,
    /// What was called has done it, what was written is committed, and the process never hears.
    After,
}

/// A step by its name, and a side of it.
pub type Cut = (String, Side);

/// What the gates share.
#[derive(Default)]
struct Shared {
    /// The process that lives now.
    pid: Option<i32>,
    /// Where it is to die. While there is one and no process, nothing gets through the gates any more.
    cut: Option<Cut>,
    /// Calls since the last look.
    calls: BTreeSet<String>,
}

impl Shared {
    /// Whether a call is made: the dead make none.
    fn lets_through(&mut self, name: &str) -> bool {
        let lives = self.cut.is_none() || self.pid.is_some();
        if lives {
            self.calls.insert(name.to_owned());
        }
        lives
    }
}

/// Watches the steps of the one process of an installation.
pub struct Steps {
    shared: Arc<Mutex<Shared>>,
    pool: PgPool,
    /// Holds the lock at which a transaction stops whose step is the chosen one.
    keeper: tokio::sync::Mutex<PgConnection>,
    tasks: JoinSet<()>,
}

/// The advisory lock of the trigger.
const LOCK: i64 = 815;

impl Steps {
    /// Triggers on the log and the jobs. A row is a step when it is new, and a job also when it is done.
    pub async fn watch(pool: PgPool) -> Self {
        sqlx::raw_sql(
            "create schema steps;
             create table steps.seen (transaction bigint, name text, n bigint generated always as identity);
             create table steps.cut (name text not null);
             create function steps.see() returns trigger language plpgsql as $$
             declare
                 step text := case when tg_table_name = 'events' then 'event ' || (to_jsonb(new) ->> 'event_type')
                                   when tg_op = 'INSERT' then 'job ' || (to_jsonb(new) ->> 'kind') || ' to do'
                                   else 'job ' || (to_jsonb(old) ->> 'kind') || ' done' end;
             begin
                 insert into steps.seen values (txid_current(), step);
                 if exists (select from steps.cut where name = step) then
                     perform pg_advisory_xact_lock_shared(815);
                 end if;
                 return null;
             end $$;
             -- At the very end of a transaction: it is committed even when nobody is there any more to hear it.
             create constraint trigger step after insert on events
                 deferrable initially deferred for each row execute function steps.see();
             create constraint trigger step after insert or delete on jobs
                 deferrable initially deferred for each row execute function steps.see();",
        )
        .execute(&pool)
        .await
        .unwrap();
        let keeper = PgConnection::connect_with(&pool.connect_options()).await.unwrap();
        Self { shared: Arc::default(), pool, keeper: keeper.into(), tasks: JoinSet::new() }
    }

    /// A way to a service that is watched; where it begins.
    pub async fn gate(&mut self, service: &'static str, url: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = format!("http://{}", listener.local_addr().unwrap());
        let gate = Gate { service, url: url.to_owned(), shared: self.shared.clone(), http: http_client().unwrap() };
        self.tasks.spawn(async move {
            Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(gate).await.unwrap();
        });
        here
    }

    /// The steps since the last time anything was asked: of all that one transaction writes, the first.
    pub async fn taken(&self) -> BTreeSet<String> {
        self.forget("select distinct on (transaction) name from forgotten order by transaction, n").await
    }

    /// Everything that was seen since the last time anything was asked.
    pub async fn seen(&self) -> BTreeSet<String> {
        self.forget("select name from forgotten").await
    }

    async fn forget(&self, answer: &str) -> BTreeSet<String> {
        let mut seen = std::mem::take(&mut self.shared.lock().unwrap().calls);
        let forget = format!("with forgotten as (delete from steps.seen returning *) {answer}");
        let written: Vec<String> = sqlx::query_scalar(&forget).fetch_all(&self.pool).await.unwrap();
        seen.extend(written);
        seen
    }

    /// From now on the process dies where it is told to.
    pub async fn arm(&self, process: &Process, cut: &Cut) {
        sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut *self.keeper.lock().await).await.unwrap();
        sqlx::query("insert into steps.cut values ($1)").bind(&cut.0).execute(&self.pool).await.unwrap();
        let mut shared = self.shared.lock().unwrap();
        (shared.pid, shared.cut) = (Some(process.pid()), Some(cut.clone()));
    }

    /// Waits until the process has come there and been killed. The backends of the database that stand
    /// at the step, if it is one of theirs.
    pub async fn killed(&self) -> Vec<i32> {
        let cut = self.shared.lock().unwrap().cut.clone();
        let waiting = "select pid from pg_locks where locktype = 'advisory' and objid = $1::bigint::oid and not granted \
                       and database = (select oid from pg_database where datname = current_database())";
        eventually(&format!("the process to die at {cut:?}"), async || {
            if self.shared.lock().unwrap().pid.is_none() {
                return Some(vec![]);
            }
            let backends: Vec<i32> = sqlx::query_scalar(waiting).bind(LOCK).fetch_all(&self.pool).await.unwrap();
            let before = cut.as_ref().is_some_and(|(_, side)| *side == Side::Before);
            for backend in &backends {
                kill(&self.shared);
                if before {
                    sqlx::query("select pg_terminate_backend($1, 10000)")
                        .bind(backend)
                        .execute(&self.pool)
                        .await
                        .unwrap();
                }
            }
            (!backends.is_empty()).then_some(backends)
        })
        .await
    }

    /// The process has ended, and what it had begun in the database ends, too: the next one is not disturbed.
    pub async fn go_on(&self, stopped: Vec<i32>) {
        sqlx::query("delete from steps.cut").execute(&self.pool).await.unwrap();
        sqlx::query("select pg_advisory_unlock($1)").bind(LOCK).execute(&mut *self.keeper.lock().await).await.unwrap();
        eventually("transactions of the dead to end", async || {
            let left: bool = sqlx::query_scalar("select exists (select from pg_stat_activity where pid = any ($1))")
                .bind(&stopped)
                .fetch_one(&self.pool)
                .await
                .unwrap();
            (!left).then_some(())
        })
        .await;
        self.shared.lock().unwrap().cut = None;
    }
}

/// `kill -9`, once.
fn kill(shared: &Mutex<Shared>) {
    let Some(pid) = shared.lock().unwrap().pid.take() else { return };
    let status = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

struct Gate {
    service: &'static str,
    url: String,
    shared: Arc<Mutex<Shared>>,
    http: reqwest::Client,
}

impl Gate {
    /// What is called, without what differs from one call to the next: a token, an id.
    fn name(&self, request: &Request) -> String {
        let path = request.uri().path();
        let parts = path.split('/').filter(|part| !part.is_empty() && !part.starts_with("bot"));
        let names = parts.map(|part| if part.contains('_') && part.len() > 12 { "…" } else { part });
        format!("{} {} {}", self.service, request.method(), names.collect::<Vec<_>>().join("/"))
    }

    fn dies(&self, name: &str, side: Side) -> bool {
        self.shared.lock().unwrap().cut.as_ref().is_some_and(|cut| (cut.0.as_str(), cut.1) == (name, side))
    }
}

impl Endpoint for Gate {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let unreachable = || Response::builder().status(StatusCode::BAD_GATEWAY).finish();
        let name = self.name(&request);
        let body = request.take_body().into_bytes().await?;
        if self.dies(&name, Side::Before) {
            kill(&self.shared);
        }
        if !self.shared.lock().unwrap().lets_through(&name) {
            return Ok(unreachable());
        }
        let mut forwarded = self.http.request(request.method().clone(), format!("{}{}", self.url, request.uri()));
        for (name, value) in request.headers() {
            if name != "host" && name != "content-length" {
                forwarded = forwarded.header(name, value);
            }
        }
        let sent = forwarded.body(body).timeout(Duration::from_secs(30)).send().await;
        let Ok(answer) = sent else { return Ok(unreachable()) };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let Ok(body) = answer.bytes().await else { return Ok(unreachable()) };
        if self.dies(&name, Side::After) {
            kill(&self.shared);
        }
        let mut response = Response::builder().status(status);
        for (name, value) in
            headers.iter().filter(|(name, _)| !["content-length", "transfer-encoding"].contains(&name.as_str()))
        {
            response = response.header(name, value);
        }
        Ok(response.body(Body::from_bytes(body)))
    }
}
