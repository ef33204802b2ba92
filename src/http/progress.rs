//! A broadcast on its way, as it goes.

use std::time::Duration;

use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use poem::web::sse;
use poem_openapi::{
    Object, OpenApi,
    payload::EventStream,
    types::{Example, ToJSON},
};
use projections::broadcasts;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, BroadcastsRead},
    broadcast_json::{BroadcastCounts, BroadcastStatus},
    params::At,
    problem::{Answer, Kind},
};
use crate::{app::App, broadcasts::recipients};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A stream ends after this long and its client comes again, with credentials
/// that are judged again.
const LONGEST_STREAM: Duration = Duration::from_secs(15 * 60);

pub(super) struct Progress {
    pub(super) app: App,
    pub(super) stop: CancellationToken,
}

/// How far a broadcast has come.
#[derive(Object, Clone, PartialEq, Eq)]
#[oai(example, skip_serializing_if_is_none)]
struct BroadcastProgress {
    /// Where it stands.
    status: BroadcastStatus,
    /// How many its audience is, once that is fixed.
    recipients: Option<i32>,
    /// What became of them so far.
    counts: BroadcastCounts,
}

impl Example for BroadcastProgress {
    fn example() -> Self {
        Self { status: BroadcastStatus::Sending, recipients: Some(1_204), counts: BroadcastCounts::example() }
    }
}

impl BroadcastProgress {
    fn is_over(&self) -> bool {
        matches!(self.status, BroadcastStatus::Completed | BroadcastStatus::Cancelled)
    }

    /// The type of the server-sent event.
    fn event_type(&self) -> &'static str {
        if self.is_over() { "finished" } else { "progress" }
    }
}

#[OpenApi(tag = "Tags::Broadcasts")]
impl Progress {
    /// Follow a broadcast
    ///
    /// Server-sent events of the type `progress`: one at once and one with each change, looked for twice a second. A
    /// last one of the type `finished` tells that it is completed or cancelled, and ends the stream. A comment every 15
    /// seconds shows that the stream lives; it ends after 15 minutes, and when the process stops: come again.
    #[oai(path = "/broadcasts/:id/progress", method = "get", operation_id = "followBroadcast")]
    async fn follow(
        &self,
        _caller: Allowed<BroadcastsRead>,
        /// The broadcast's id.
        id: At<Uuid>,
    ) -> Answer<EventStream<BoxStream<'static, BroadcastProgress>>> {
        let first = look(&self.app, id.0).await?;
        let events = changes(self.app.clone(), id.0, first)
            .take_until(self.stop.clone().cancelled_owned())
            .take_until(tokio::time::sleep(LONGEST_STREAM));
        let as_sent = |progress: BroadcastProgress| {
            sse::Event::message(progress.to_json_string()).event_type(progress.event_type())
        };
        Ok(EventStream::new(events.boxed()).to_event(as_sent).keep_alive(HEARTBEAT))
    }
}

async fn look(app: &App, id: Uuid) -> Answer<BroadcastProgress> {
    let row = broadcasts::find(&app.pool, id).await?.ok_or(Kind::BroadcastMissing)?;
    let counts = recipients::counts(&app.pool, &[id]).await?;
    let counts = counts.first().map(|(_, counts)| *counts).unwrap_or_default();
    Ok(BroadcastProgress {
        status: BroadcastStatus::read(&row.status)?,
        recipients: row.recipients,
        counts: counts.into(),
    })
}

/// What is to be seen, and then each change, up to the last one.
fn changes(app: App, id: Uuid, first: BroadcastProgress) -> impl Stream<Item = BroadcastProgress> + Send {
    struct Seen {
        app: App,
        next: Option<BroadcastProgress>,
        last: BroadcastProgress,
    }
    let seen = Seen { app, next: Some(first.clone()), last: first };
    stream::unfold(seen, move |mut seen| async move {
        if let Some(first) = seen.next.take() {
            return Some((first, seen));
        }
        if seen.last.is_over() {
            return None;
        }
        loop {
            tokio::time::sleep(LOOK).await;
            match look(&seen.app, id).await {
                Ok(progress) if progress == seen.last => {}
                Ok(progress) => {
                    seen.last = progress.clone();
                    return Some((progress, seen));
                }
                // The client comes again, and then learns what is wrong.
                Err(problem) => {
                    tracing::warn!(error = &problem as &dyn std::error::Error, "a stream of progress ends early");
                    return None;
                }
            }
        }
    })
}
