//! Loading streams, many in one query.

use std::{collections::HashMap, sync::Arc};

use futures_util::TryStreamExt;
use sqlx::{FromRow, PgConnection, PgPool, Row};
use tokio::sync::{mpsc, oneshot};

use super::{
    page::Page,
    rest::{Rest, RestLoader},
};
use crate::log::{LogError, StreamName};

/// Streams loaded by one query at the most.
const BATCH: usize = 1_024;
/// Events of one stream in its first page: few streams have a second one.
const PAGE: i64 = 1_000;

struct Request {
    stream: StreamName,
    after: i64,
    answer: oneshot::Sender<Result<Page, Arc<sqlx::Error>>>,
}

/// Loads streams for the executors of a process. Cheap to clone.
#[derive(Clone)]
pub struct Loader {
    requests: mpsc::Sender<Request>,
    rest: RestLoader,
}

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
        let rest = RestLoader::new(&pool.connect_options());
        (Self { requests: sender, rest }, LoadTask { pool, connection: None, requests })
    }

    /// The events of a stream after a sequence number.
    pub(super) async fn load(&self, stream: &StreamName, after: i64) -> Result<Page, LogError> {
        if stream.id.contains('\0') {
            // PostgreSQL would refuse the whole query, with everybody else's streams.
            let source = sqlx::Error::Encode("a stream's id contains a NUL character".into());
            return Err(LogError::Unstorable { source });
        }
        let (answer, loaded) = oneshot::channel();
        let request = Request { stream: stream.clone(), after, answer };
        self.requests.send(request).await.map_err(|_| LogError::Closed)?;
        let loaded = loaded.await.map_err(|_| LogError::Closed)?;
        loaded
            .map_err(|error| LogError::Unavailable {
                operation: "load a stream",
                // One query served many; each of them is told the same.
                source: sqlx::Error::Protocol(error.to_string()),
            })?
            .following(after)
    }

    /// What comes after the first pages, none of which was the last one. It may be
    /// a million events; short streams do not wait for them.
    pub(super) fn rest(&self, stream: &StreamName, after: i64) -> Rest {
        self.rest.load(stream.clone(), after)
    }
}

impl LoadTask {
    /// Loads until every [`Loader`] is dropped.
    pub async fn run(mut self) {
        let mut requests = Vec::with_capacity(BATCH);
        while self.requests.recv_many(&mut requests, BATCH).await > 0 {
            self.answer(std::mem::take(&mut requests)).await;
        }
    }

    async fn answer(&mut self, requests: Vec<Request>) {
        match self.load(&requests).await {
            Ok(mut pages) => {
                for (n, request) in (1..).zip(requests) {
                    let page = pages.remove(&n).unwrap_or_else(|| Page::end(request.after));
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

    async fn load(&mut self, requests: &[Request]) -> Result<Pages, sqlx::Error> {
        if let Some(mut kept) = self.connection.take()
            && let Ok(pages) = load(&mut kept, requests).await
        {
            self.connection = Some(kept);
            return Ok(pages);
        }
        // There was none, or it was lost: a new one decides.
        let mut fresh = self.pool.acquire().await?.detach();
        let pages = load(&mut fresh, requests).await?;
        self.connection = Some(fresh);
        Ok(pages)
    }
}

/// Pages by the number of their request, from 1.
async fn load(connection: &mut PgConnection, requests: &[Request]) -> Result<Pages, sqlx::Error> {
    let kinds: Vec<&str> = requests.iter().map(|request| request.stream.kind).collect();
    let ids: Vec<&str> = requests.iter().map(|request| &*request.stream.id).collect();
    let after: Vec<i64> = requests.iter().map(|request| request.after).collect();
    let mut rows =
        sqlx::query("select n, sequence, positions, names, versions, payloads from load_pages($1, $2, $3, $4)")
            .bind(kinds)
            .bind(ids)
            .bind(after)
            .bind(PAGE)
            .fetch(connection);
    let mut pages = Pages::new();
    while let Some(row) = rows.try_next().await? {
        let mut page = Page::from_row(&row)?;
        page.last = (page.len() as i64) < PAGE;
        pages.insert(row.try_get("n")?, page);
    }
    Ok(pages)
}
