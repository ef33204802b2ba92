//! What comes after the first page of a long stream, in one query.

use futures_util::TryStreamExt;
use sqlx::{Connection, FromRow, PgConnection, PgPool};
use tokio::sync::mpsc;

use super::page::Page;
use crate::log::{LogError, StreamName};

/// Events in a page of it: few enough that their texts are still in a core's
/// cache when they are typed, and that the server need not ask its system for
/// memory for each page.
const PAGE: i64 = 512;
/// Pages that may wait to be taken in.
pub(super) const WAITING: usize = 8;

/// One page after the other, up to what is in the log at that time.
pub(super) type Rest = mpsc::Receiver<Result<Page, LogError>>;

/// Sends the pages of a stream after a sequence number, until there are no more
/// of them, or nobody wants them any longer.
pub(super) async fn load(pool: PgPool, stream: StreamName, after: i64, pages: mpsc::Sender<Result<Page, LogError>>) {
    let loaded = async {
        let mut connection = pool.acquire().await?;
        let whole = send(&mut connection, &stream, after, &pages).await?;
        if !whole {
            // Whoever got it next would first have to read the rest.
            connection.close_on_drop();
        }
        Ok(())
    };
    if let Err(source) = loaded.await {
        let _ = pages.send(Err(LogError::Unavailable { operation: "load a long stream", source })).await;
    }
}

/// Whether all was wanted.
async fn send(
    connection: &mut PgConnection,
    stream: &StreamName,
    mut after: i64,
    pages: &mpsc::Sender<Result<Page, LogError>>,
) -> Result<bool, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // As in load_pages: the plan that is right for a log of any length.
    sqlx::query("select set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)")
        .execute(&mut *transaction)
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
    .fetch(&mut *transaction);
    while let Some(row) = rows.try_next().await? {
        let page = Page::from_row(&row)?;
        // It is made so, and nothing but the order of the query says it.
        if page.after() != after {
            return Err(sqlx::Error::Protocol(format!("the page after {after} goes on after {}", page.after())));
        }
        after = page.sequence;
        if pages.send(Ok(page)).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}
