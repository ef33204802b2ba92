//! Broadcasts: write, preview, start, stop and see them.

use aggregates::broadcast::Command;
use chrono::{DateTime, Utc};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Query},
    payload::Json,
};
use projections::{
    broadcasts,
    page::{Cursor, Key},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, BroadcastsRead, BroadcastsWrite},
    body::Body,
    broadcast_json::{
        Broadcast, BroadcastDraft, BroadcastPage, BroadcastPreview, BroadcastStatus, BroadcastTable, row_line,
    },
    csv::{PIECE, Table, pieces},
    mutation::{Changed, Created, IfMatch, changed, created_at, etag, once},
    params::{At, cursor, shows, usual_limit, usual_wait},
    problem::{Answer, Kind},
};
use crate::{
    app::App,
    broadcasts::{audience, recipients, shown},
    executor::Wish,
};

pub(super) struct Broadcasts(pub(super) App);

#[derive(ApiResponse)]
#[allow(clippy::large_enum_variant, reason = "there is one for each answer, and it is soon gone")]
enum Found {
    /// The broadcast.
    #[oai(status = 200)]
    Found(
        Json<Broadcast>,
        /// Its version, for If-None-Match.
        #[oai(header = "ETag")]
        String,
        /// To be asked again each time.
        #[oai(header = "Cache-Control")]
        String,
    ),
    /// It is still as in If-None-Match.
    #[oai(status = 304)]
    Unchanged(
        /// Its version.
        #[oai(header = "ETag")]
        String,
    ),
}

#[OpenApi(tag = "Tags::Broadcasts")]
impl Broadcasts {
    /// Send a broadcast
    ///
    /// At once, at `send_at`, or, as a draft, when it is started. Its audience is fixed when it starts. It goes out
    /// inside Telegram's limits, always behind the bot's replies, and everybody gets it at most once.
    ///
    /// Problems: invalid-broadcast
    #[oai(path = "/broadcast", method = "post", operation_id = "createBroadcast")]
    async fn create(
        &self,
        caller: Allowed<BroadcastsWrite>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        /// What, to whom, and when.
        body: Body<BroadcastDraft>,
    ) -> Answer<Created> {
        let once = once(&caller, idempotency_key.0, &["POST", "/api/broadcast", &body.canonical])?;
        let when = body.value.when()?;
        let letter = body.value.letter();
        shown(&letter.message)?;
        let command = Command::Draft { letter, when, at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        created_at("/api/broadcasts", &self.0.broadcasts.send(&self.0.clock.new_id().to_string(), wish).await?)
    }

    /// Try a broadcast out
    ///
    /// Sends nothing and keeps nothing: checks it by all rules, ours and Telegram's, and tells how many would get it
    /// and what they would read.
    ///
    /// Problems: invalid-broadcast
    #[oai(path = "/broadcast/preview", method = "post", operation_id = "previewBroadcast")]
    async fn preview(
        &self,
        _caller: Allowed<BroadcastsWrite>,
        /// As for `createBroadcast`.
        body: Body<BroadcastDraft>,
    ) -> Answer<Json<BroadcastPreview>> {
        body.value.when()?;
        let letter = body.value.letter();
        let shown = shown(&letter.message)?;
        letter.audience.check()?;
        let recipients = audience::count(&self.0.pool, &letter.audience, self.0.clock.now()).await?;
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Json(BroadcastPreview {
            recipients,
            text: shown.text,
            length: number(shown.length),
            longest: number(shown.longest),
        }))
    }

    /// List broadcasts
    ///
    /// A page of them, the newest first, each with how many recipients are in which state as of now.
    #[oai(path = "/broadcasts", method = "get", operation_id = "listBroadcasts")]
    async fn list(
        &self,
        _caller: Allowed<BroadcastsRead>,
        /// Only broadcasts in this status.
        status: Query<Option<BroadcastStatus>>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<BroadcastPage>> {
        let after = self::cursor(cursor.0.as_ref(), |cursor| matches!(cursor.key, Key::Time(_)))?;
        shows(&self.0, "broadcasts", min_position.0, wait_ms.0).await?;
        let page = broadcasts::list(&self.0.pool, status.0.map(Into::into), after.as_ref(), limit.0).await?;
        let ids: Vec<Uuid> = page.rows.iter().map(|row| row.id).collect();
        let counts = recipients::counts(&self.0.pool, &ids).await?;
        let counts_of =
            |id: Uuid| counts.iter().find(|(of, _)| *of == id).map(|(_, counts)| *counts).unwrap_or_default();
        let items = page.rows.into_iter().map(|row| {
            let counts = counts_of(row.id);
            Broadcast::new(row, counts)
        });
        Ok(Json(BroadcastPage {
            items: items.collect::<Answer<_>>()?,
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export broadcasts
    ///
    /// All in this status, the newest first, as CSV, each with how many recipients are in which state as of now.
    #[oai(path = "/broadcasts.csv", method = "get", operation_id = "exportBroadcasts")]
    async fn export(
        &self,
        _caller: Allowed<BroadcastsRead>,
        /// Only broadcasts in this status.
        status: Query<Option<BroadcastStatus>>,
    ) -> Answer<Table<BroadcastTable>> {
        let (pool, status) = (self.0.pool.clone(), status.0.map(Into::into));
        let lines = pieces(move |after: Option<Cursor>| {
            let pool = pool.clone();
            async move {
                let page = broadcasts::list(&pool, status, after.as_ref(), PIECE).await?;
                let ids: Vec<Uuid> = page.rows.iter().map(|row| row.id).collect();
                let counts = recipients::counts(&pool, &ids).await?;
                Ok::<_, sqlx::Error>((page.rows.iter().map(|row| row_line(row, &counts)).collect(), page.next))
            }
        });
        Ok(Table::named("broadcasts", lines))
    }

    /// Show a broadcast
    ///
    /// With its ETag, which changes with every change of its status. (`counts` change without one.)
    #[oai(path = "/broadcasts/:id", method = "get", operation_id = "getBroadcast")]
    async fn show(
        &self,
        _caller: Allowed<BroadcastsRead>,
        /// The broadcast's id.
        id: At<Uuid>,
        /// An ETag of the broadcast; if it still has it and nothing is being sent, the answer is 304 without a body.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Found> {
        let known = if_none_match.0.map(|text| IfMatch::read("If-None-Match", &text)).transpose()?;
        shows(&self.0, "broadcasts", min_position.0, wait_ms.0).await?;
        let row = broadcasts::find(&self.0.pool, id.0).await?.ok_or(Kind::BroadcastMissing)?;
        let etag = etag(row.version);
        let still = !matches!(row.status.as_str(), "sending" | "paused");
        if still && known.is_some_and(|known| known.contains(row.version)) {
            return Ok(Found::Unchanged(etag));
        }
        let counts = recipients::counts(&self.0.pool, &[id.0]).await?;
        let counts = counts.first().map(|(_, counts)| *counts).unwrap_or_default();
        Ok(Found::Found(Json(Broadcast::new(row, counts)?), etag, "private, no-cache".to_owned()))
    }

    /// Start a broadcast
    ///
    /// A draft, or a scheduled one before its time.
    ///
    /// Problems: broadcast-status
    #[oai(path = "/broadcasts/:id/start", method = "post", operation_id = "startBroadcast")]
    async fn start(
        &self,
        caller: Allowed<BroadcastsWrite>,
        /// The broadcast's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        self.step(&caller, id.0, idempotency_key.0, "start", |at| Command::Release { at }).await
    }

    /// Stop a broadcast for now
    ///
    /// Within a second nothing more is sent by any process; what is on its way arrives.
    ///
    /// Problems: broadcast-status
    #[oai(path = "/broadcasts/:id/pause", method = "post", operation_id = "pauseBroadcast")]
    async fn pause(
        &self,
        caller: Allowed<BroadcastsWrite>,
        /// The broadcast's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        self.step(&caller, id.0, idempotency_key.0, "pause", |at| Command::Pause { at }).await
    }

    /// Go on with a paused broadcast
    ///
    /// With those who did not get it yet; its audience stays as it was.
    ///
    /// Problems: broadcast-status
    #[oai(path = "/broadcasts/:id/resume", method = "post", operation_id = "resumeBroadcast")]
    async fn resume(
        &self,
        caller: Allowed<BroadcastsWrite>,
        /// The broadcast's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        self.step(&caller, id.0, idempotency_key.0, "resume", |at| Command::Resume { at }).await
    }

    /// Cancel a broadcast
    ///
    /// For good: those who did not get it yet (`pending`) never will. A draft is discarded so.
    ///
    /// Problems: broadcast-status
    #[oai(path = "/broadcasts/:id/cancel", method = "post", operation_id = "cancelBroadcast")]
    async fn cancel(
        &self,
        caller: Allowed<BroadcastsWrite>,
        /// The broadcast's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        self.step(&caller, id.0, idempotency_key.0, "cancel", |at| Command::Cancel { at }).await
    }

    /// Send to the unconfirmed again
    ///
    /// To those recipients of whom it is not known whether they got it. Those who did get it twice.
    ///
    /// Problems: broadcast-status, nothing-unconfirmed
    #[oai(path = "/broadcasts/:id/resend-unconfirmed", method = "post", operation_id = "resendUnconfirmed")]
    async fn resend(
        &self,
        caller: Allowed<BroadcastsWrite>,
        /// The broadcast's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        self.step(&caller, id.0, idempotency_key.0, "resend-unconfirmed", |at| Command::Resend { at }).await
    }
}

impl Broadcasts {
    async fn step(
        &self,
        caller: &Allowed<BroadcastsWrite>,
        id: Uuid,
        key: Option<String>,
        name: &str,
        command: impl FnOnce(DateTime<Utc>) -> Command,
    ) -> Answer<Changed> {
        let id = id.to_string();
        let once = once(caller, key, &["broadcast", name, &id])?;
        let wish = Wish { command: command(self.0.clock.now()), cause: caller.cause(), once, expected: None };
        changed(&self.0.broadcasts.send(&id, wish).await?)
    }
}
