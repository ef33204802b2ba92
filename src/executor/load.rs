//! Loading streams, many in one query.

use std::{collections::HashMap, sync::Arc};

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use crate::log::{LogError, StreamName};

/// Streams loaded by one query at the most.
const BATCH: usize = 1_024;
/// Events of one stream in one page.
const PAGE: i64 = 1_000;

/// An event as a stream is loaded from it.
pub(super) struct Loaded {
    pub(super) sequence: i64,
    pub(super) position: i64,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) payload: String,
}

/// The next events of a stream.
#[derive(Default)]
pub(super) struct PageOfStream {
    pub(super) events: Vec<Loaded>,
    /// Whether there were no more at that time.
    pub(super) last: bool,
}

struct Request {
    stream: StreamName,
    after: i64,
    answer: oneshot::Sender<Result<PageOfStream, Arc<sqlx::Error>>>,
}

/// Loads streams for the executors of a process. Cheap to clone.
#[derive(Clone)]
pub struct Loader(mpsc::Sender<Request>);

/// The task behind a [`Loader`].
pub struct LoadTask {
    pool: PgPool,
    requests: mpsc::Receiver<Request>,
}

impl Loader {
    /// A loader and its task; the task ends with the last clone of the loader.
    #[must_use]
    pub fn new(pool: PgPool) -> (Self, LoadTask) {
        let (sender, requests) = mpsc::channel(BATCH);
        (Self(sender), LoadTask { pool, requests })
    }

    pub(super) async fn load(&self, stream: &StreamName, after: i64) -> Result<PageOfStream, LogError> {
        if stream.id.contains('\0') {
            // PostgreSQL would refuse the whole query, with everybody else's streams.
            let source = sqlx::Error::Encode("a stream's id contains a NUL character".into());
            return Err(LogError::Unstorable { source });
        }
        let (answer, loaded) = oneshot::channel();
        let request = Request { stream: stream.clone(), after, answer };
        self.0.send(request).await.map_err(|_| LogError::Closed)?;
        loaded.await.map_err(|_| LogError::Closed)?.map_err(|error| LogError::Unavailable {
            operation: "load a stream",
            // One query served many; each of them is told the same.
            source: sqlx::Error::Protocol(error.to_string()),
        })
    }
}

impl LoadTask {
    /// Loads until every [`Loader`] is dropped.
    pub async fn run(mut self) {
        let mut requests = Vec::with_capacity(BATCH);
        while self.requests.recv_many(&mut requests, BATCH).await > 0 {
            match load(&self.pool, &requests).await {
                Ok(mut pages) => {
                    for (n, request) in requests.drain(..).enumerate() {
                        let page = pages.remove(&(n as i64 + 1)).unwrap_or(PageOfStream { events: vec![], last: true });
                        let _ = request.answer.send(Ok(page));
                    }
                }
                Err(error) => {
                    let error = Arc::new(error);
                    for request in requests.drain(..) {
                        let _ = request.answer.send(Err(error.clone()));
                    }
                }
            }
        }
    }
}

/// Pages by the number of their request, from 1.
async fn load(pool: &PgPool, requests: &[Request]) -> Result<HashMap<i64, PageOfStream>, sqlx::Error> {
    let kinds: Vec<&str> = requests.iter().map(|request| request.stream.kind).collect();
    let ids: Vec<&str> = requests.iter().map(|request| &*request.stream.id).collect();
    let after: Vec<i64> = requests.iter().map(|request| request.after).collect();
    let rows: Vec<(i64, i64, i64, String, String, String)> = sqlx::query_as(
        "select w.n, e.sequence, e.position, e.event_type, e.event_version, e.payload::text \
           from unnest($1::text[], $2::text[], $3::bigint[]) with ordinality as w (kind, id, after, n) \
          cross join lateral (select * from events \
                               where aggregate_type = w.kind and aggregate_id = w.id \
                                 and sequence > w.after and sequence <= w.after + $4 \
                               order by sequence) e",
    )
    .bind(kinds)
    .bind(ids)
    .bind(after)
    .bind(PAGE)
    .fetch_all(pool)
    .await?;
    let mut pages: HashMap<i64, PageOfStream> = HashMap::new();
    for (n, sequence, position, name, version, payload) in rows {
        pages.entry(n).or_default().events.push(Loaded { sequence, position, name, version, payload });
    }
    for page in pages.values_mut() {
        page.last = (page.events.len() as i64) < PAGE;
    }
    Ok(pages)
}
