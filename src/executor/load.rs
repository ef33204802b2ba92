//! Loading streams, many in one query.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use futures_util::TryStreamExt;
use sqlx::{FromRow, PgConnection, PgPool, Row};
use tokio::sync::{mpsc, oneshot};

use super::page::Page;
use crate::log::{LogError, StreamName};

/// Streams loaded by one query at the most.
const BATCH: usize = 1_024;
/// Events of one stream in its first page, and in each page after that: few
/// streams have a second one, and those may have a million. Others wait for no
/// more than one such page, and its texts stay in a core's cache until they are read.
const PAGE: i64 = 1_000;
const LONG_PAGE: i64 = 4_000;

struct Request {
    stream: StreamName,
    after: i64,
    /// Events at the most.
    most: i64,
    answer: oneshot::Sender<Result<Page, Arc<sqlx::Error>>>,
}

/// A page on its way.
pub(super) struct Loading(oneshot::Receiver<Result<Page, Arc<sqlx::Error>>>);

impl Loading {
    /// Waits for it.
    pub(super) async fn page(self) -> Result<Page, LogError> {
        self.0.await.map_err(|_| LogError::Closed)?.map_err(|error| LogError::Unavailable {
            operation: "load a stream",
            // One query served many; each of them is told the same.
            source: sqlx::Error::Protocol(error.to_string()),
        })
    }
}

/// Loads streams for the executors of a process. Cheap to clone.
#[derive(Clone)]
pub struct Loader(mpsc::Sender<Request>);

/// The task behind a [`Loader`].
pub struct LoadTask {
    pool: PgPool,
    /// Kept, so that no command has to wait for a free one, or for a look at
    /// whether it still works.
    connection: Option<PgConnection>,
    requests: mpsc::Receiver<Request>,
}

type Pages = HashMap<i64, Page>;

impl Loader {
    /// A loader and its task; the task ends with the last clone of the loader.
    #[must_use]
    pub fn new(pool: PgPool) -> (Self, LoadTask) {
        let (sender, requests) = mpsc::channel(BATCH);
        (Self(sender), LoadTask { pool, connection: None, requests })
    }

    /// The events of a stream after a sequence number.
    pub(super) async fn load(&self, stream: &StreamName, after: i64) -> Result<Page, LogError> {
        self.ask(stream, after, PAGE).await?.page().await
    }

    /// Has the next of many pages loaded, to be waited for later.
    pub(super) async fn load_on(&self, stream: &StreamName, after: i64) -> Result<Loading, LogError> {
        self.ask(stream, after, LONG_PAGE).await
    }

    async fn ask(&self, stream: &StreamName, after: i64, most: i64) -> Result<Loading, LogError> {
        if stream.id.contains('\0') {
            // PostgreSQL would refuse the whole query, with everybody else's streams.
            let source = sqlx::Error::Encode("a stream's id contains a NUL character".into());
            return Err(LogError::Unstorable { source });
        }
        let (answer, loaded) = oneshot::channel();
        let request = Request { stream: stream.clone(), after, most, answer };
        self.0.send(request).await.map_err(|_| LogError::Closed)?;
        Ok(Loading(loaded))
    }
}

impl LoadTask {
    /// Loads until every [`Loader`] is dropped.
    pub async fn run(mut self) {
        let mut requests = Vec::with_capacity(BATCH);
        let mut long = VecDeque::new();
        loop {
            if long.is_empty() && self.requests.recv_many(&mut requests, BATCH).await == 0 {
                return;
            }
            while requests.len() < BATCH
                && let Ok(request) = self.requests.try_recv()
            {
                requests.push(request);
            }
            // Those that have a whole page to come take turns, one after each
            // round of the others.
            long.extend(requests.extract_if(.., |request| request.most == LONG_PAGE));
            self.answer(std::mem::take(&mut requests)).await;
            self.answer(long.pop_front().into_iter().collect()).await;
        }
    }

    async fn answer(&mut self, requests: Vec<Request>) {
        let Some(most) = requests.first().map(|request| request.most) else { return };
        match self.load(&requests, most).await {
            Ok(mut pages) => {
                for (n, request) in (1..).zip(requests) {
                    let page = pages.remove(&n).unwrap_or_else(Page::end);
                    let _ = request.answer.send(Ok(page));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for request in requests {
                    let _ = request.answer.send(Err(error.clone()));
                }
            }
        }
    }

    async fn load(&mut self, requests: &[Request], most: i64) -> Result<Pages, sqlx::Error> {
        if let Some(mut kept) = self.connection.take()
            && let Ok(pages) = load(&mut kept, requests, most).await
        {
            self.connection = Some(kept);
            return Ok(pages);
        }
        // There was none, or it was lost: a new one decides.
        let mut fresh = self.pool.acquire().await?.detach();
        let pages = load(&mut fresh, requests, most).await?;
        self.connection = Some(fresh);
        Ok(pages)
    }
}

/// Pages by the number of their request, from 1.
async fn load(connection: &mut PgConnection, requests: &[Request], most: i64) -> Result<Pages, sqlx::Error> {
    let kinds: Vec<&str> = requests.iter().map(|request| request.stream.kind).collect();
    let ids: Vec<&str> = requests.iter().map(|request| &*request.stream.id).collect();
    let after: Vec<i64> = requests.iter().map(|request| request.after).collect();
    let mut rows =
        sqlx::query("select n, sequence, positions, names, versions, payloads from load_pages($1, $2, $3, $4)")
            .bind(kinds)
            .bind(ids)
            .bind(after)
            .bind(most)
            .fetch(connection);
    let mut pages = Pages::new();
    while let Some(row) = rows.try_next().await? {
        let mut page = Page::from_row(&row)?;
        page.last = (page.len() as i64) < most;
        pages.insert(row.try_get("n")?, page);
    }
    Ok(pages)
}
