//! What comes after the first pages of a long stream, in one query.

use std::{future::Future, io, sync::Arc};

use futures_util::TryStreamExt;
use sqlx::{ConnectOptions, Connection, FromRow, PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Duration, timeout},
};

use super::page::Page;
use crate::log::{LogError, StreamName};

/// Events in a page of it: few enough that their texts are still in a core's
/// cache when they are typed, and that the server need not ask its system for
/// memory for each page.
const PAGE: i64 = 512;
/// Pages that may wait to be taken in.
pub(super) const WAITING: usize = 8;
/// Long streams that are loaded at the same time, each over a connection of its
/// own: one of the pool may be held by whoever waits for the stream.
const AT_ONCE: usize = 2;
/// How long the server may say nothing. Who only listens is not told that a
/// connection is dead.
const SILENCE: Duration = Duration::from_secs(30);

/// One page after the other, up to what is in the log at that time.
pub(super) type Rest = mpsc::Receiver<Result<Page, LogError>>;

/// Loads what comes after first pages. Cheap to clone.
#[derive(Clone)]
pub(super) struct RestLoader {
    options: Arc<PgConnectOptions>,
    turns: Arc<Semaphore>,
}

impl RestLoader {
    pub(super) fn new(options: &PgConnectOptions) -> Self {
        let options = options
            .clone()
            // As in load_pages: the plan that is right for a log of any length.
            .options([("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")])
            // It is slow by its nature.
            .disable_statement_logging();
        Self { options: Arc::new(options), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The pages of a stream after a sequence number. They come for as long as
    /// somebody wants them.
    pub(super) fn load(&self, stream: StreamName, after: i64) -> Rest {
        let (pages, rest) = mpsc::channel(WAITING);
        let loader = self.clone();
        tokio::spawn(async move {
            let loading = async {
                let _turn = loader.turns.acquire().await;
                send(&loader.options, &stream, after, &pages).await
            };
            let sent = tokio::select! {
                sent = loading => sent,
                () = pages.closed() => return,
            };
            match sent {
                Ok(connection) => {
                    drop(pages);
                    // All has come; how the server takes the farewell does not matter.
                    let _ = timeout(SILENCE, connection.close()).await;
                }
                Err(error) => {
                    let _ = pages.send(Err(error)).await;
                }
            }
        });
        rest
    }
}

async fn send(
    options: &PgConnectOptions,
    stream: &StreamName,
    mut after: i64,
    pages: &mpsc::Sender<Result<Page, LogError>>,
) -> Result<PgConnection, LogError> {
    let mut connection = heard(PgConnection::connect_with(options)).await?;
    // A page is a row, as in load_pages. Not by that function: it would keep all
    // of its answer until the last row is made.
    let mut rows = sqlx::query(
        "select page.sequence, page.positions, page.names, page.versions, page.payloads
           from generate_series($3, (select max(sequence) from events
                                      where aggregate_type = $1 and aggregate_id = $2), $4) as known
          cross join lateral (select max(e.sequence) as sequence,
                                     array_agg(e.position) as positions,
                                     string_agg(e.event_type, E'\\x1e') as names,
                                     string_agg(e.event_version, E'\\x1e') as versions,
                                     string_agg(e.payload::text, E'\\x1e') as payloads
                                from (select e.sequence, e.position, e.event_type, e.event_version, e.payload
                                        from events e
                                       where e.aggregate_type = $1 and e.aggregate_id = $2
                                         and e.sequence > known and e.sequence <= known + $4
                                       order by e.sequence offset 0) e
                              having count(*) > 0) page",
    )
    .bind(stream.kind)
    .bind(&*stream.id)
    .bind(after)
    .bind(PAGE)
    .fetch(&mut connection);
    while let Some(row) = heard(rows.try_next()).await? {
        // That they come in order is the plan's doing, and nothing in the query asks for
        // it: sorted, all of them would have to be there before the first could go.
        let page = Page::from_row(&row).map_err(unavailable)?.following(after)?;
        after = page.sequence;
        if pages.send(Ok(page)).await.is_err() {
            break;
        }
    }
    drop(rows);
    Ok(connection)
}

/// What the server answers, if it does.
async fn heard<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, LogError> {
    let heard = timeout(SILENCE, answer).await;
    heard.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()))).map_err(unavailable)
}

fn unavailable(source: sqlx::Error) -> LogError {
    LogError::Unavailable { operation: "load a long stream", source }
}
