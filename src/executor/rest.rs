//! What comes after the first page of a long stream, in one query.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::{Connection, FromRow, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{Semaphore, mpsc};

use super::page::Page;
use crate::log::{LogError, StreamName};

/// Events in a page of it: few enough that their texts are still in a core's
/// cache when they are typed, and that the server need not ask its system for
/// memory for each page.
const PAGE: i64 = 512;
/// Pages that may wait to be taken in.
pub(super) const WAITING: usize = 8;
/// Long streams that are loaded at the same time, each over a connection of its own:
/// who waits for one may hold a connection of the pool.
const AT_ONCE: usize = 2;

/// One page after the other, up to what is in the log at that time.
pub(super) type Rest = mpsc::Receiver<Result<Page, LogError>>;

/// Loads what comes after first pages. Cheap to clone.
#[derive(Clone)]
pub(super) struct RestLoader {
    options: Arc<PgConnectOptions>,
    turns: Arc<Semaphore>,
}

impl RestLoader {
    pub(super) fn new(options: Arc<PgConnectOptions>) -> Self {
        Self { options, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The pages of a stream after a sequence number. They come for as long as somebody wants them.
    pub(super) fn load(&self, stream: StreamName, after: i64) -> Rest {
        let (pages, rest) = mpsc::channel(WAITING);
        let loader = self.clone();
        tokio::spawn(async move {
            let _turn = loader.turns.acquire().await;
            if let Err(source) = send(&loader.options, &stream, after, &pages).await {
                let _ = pages.send(Err(LogError::Unavailable { operation: "load a long stream", source })).await;
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
) -> Result<(), sqlx::Error> {
    if pages.is_closed() {
        return Ok(());
    }
    let mut connection = PgConnection::connect_with(options).await?;
    // As in load_pages: the plan that is right for a log of any length.
    sqlx::query(
        "select set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_seqscan', 'off', false)",
    )
    .execute(&mut connection)
    .await?;
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
    while let Some(row) = rows.try_next().await? {
        let page = Page::from_row(&row)?;
        // The plan makes it so, and nothing in the query asks for it: sorted, all of
        // them would have to be there before the first could go.
        if page.after() != after {
            return Err(sqlx::Error::Protocol(format!("the page after {after} goes on after {}", page.after())));
        }
        after = page.sequence;
        if pages.send(Ok(page)).await.is_err() {
            // Its connection goes with the rest that nobody wants.
            return Ok(());
        }
    }
    drop(rows);
    // All is here; how the server takes the farewell does not matter.
    let _ = connection.close().await;
    Ok(())
}
