//! What makes signals: how it stands, and whether and how it goes on.

use aggregates::{
    Signal,
    signal::{Command, XAUUSD},
};
use poem_openapi::{
    OpenApi,
    param::{Header, Query},
    payload::Json,
};
use projections::signals;
use trading::{Price, Timeframe};

use super::{
    Tags,
    auth::{Allowed, SignalsRead, SignalsWrite},
    body::Body,
    mutation::once,
    params::{shows, usual_wait},
    problem::Answer,
    signal_bot_json::{
        Bot, BotState, CheckCount, Chosen, LastCheck, MarketState, MarketStatus, OpenSignal, SignalBotStatus,
    },
    signal_changes::{SignalsChanged, signals_changed},
    subscription_json::HandReason,
    subscriptions::by_hand,
};
use crate::{
    app::App,
    executor::Wish,
    signals::{ends, next_check, now},
};

pub(super) struct SignalBot(pub(super) App);

#[OpenApi(tag = "Tags::Signals")]
impl SignalBot {
    /// Show how signals stand
    ///
    /// Whether signals are opened and by which strategy, the open one with what it would come to now, what the last look for
    /// a signal came to and why, when the next one is, and whether the market can be judged.
    #[oai(path = "/signal-bot/status", method = "get", operation_id = "getSignalBotStatus")]
    async fn status(
        &self,
        _caller: Allowed<SignalsRead>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<SignalBotStatus>> {
        shows(&self.0, "signals", min_position.0, wait_ms.0).await?;
        let (market, price) = market(&self.0).await?;
        let ends = ends(&self.0).await?;
        let look = |signal: &Signal| (Bot::of(signal), next_check(&self.0, signal, market.now, ends));
        let (bot, next_check_at) = self.0.signals.look(XAUUSD, |signal, _, _| look(signal)).await?;
        let last_check = signals::last_check(&self.0.pool, XAUUSD).await?;
        let today = market.now.date_naive();
        let counts = signals::checks_by_day(&self.0.pool, XAUUSD, today, today).await?;
        let (since, by, reason) =
            bot.paused.map_or((None, None, None), |(since, by, reason)| (Some(since), Some(by), Some(reason)));
        Ok(Json(SignalBotStatus {
            state: if since.is_some() { BotState::Paused } else { BotState::Running },
            paused_since: since,
            paused_by: by,
            paused_reason: reason,
            strategy: bot.strategy.as_str().to_owned(),
            queued_strategy: bot.queued.map(|strategy| strategy.as_str().to_owned()),
            config_revision: bot.revision,
            last_number: bot.last,
            open: bot.open.map(|open| OpenSignal::at(&open, price)),
            next_check_at,
            last_check: last_check.map(LastCheck::from),
            checks_today: counts.into_iter().map(CheckCount::from).collect(),
            market,
        }))
    }

    /// Choose the strategy
    ///
    /// At once, or when the open signal has ended: until then it waits in the queue, from which the active strategy takes it
    /// back.
    #[oai(path = "/signal-bot/set-active", method = "post", operation_id = "setActiveStrategy")]
    async fn set_active(
        &self,
        caller: Allowed<SignalsWrite>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<Chosen>,
    ) -> Answer<SignalsChanged> {
        let command = Command::Choose { strategy: body.value.0, at: now(&self.0).await? };
        self.send(&caller, idempotency_key.0, &["set-active", &body.canonical], command).await
    }

    /// Open no more signals
    ///
    /// Until they are resumed, over restarts too. The open one goes on, and it is still looked for others, so that one can
    /// see what would have been.
    #[oai(path = "/signal-bot/pause", method = "post", operation_id = "pauseSignals")]
    async fn pause(
        &self,
        caller: Allowed<SignalsWrite>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<HandReason>,
    ) -> Answer<SignalsChanged> {
        let command = Command::Pause { by_hand: by_hand(&caller, &body.value.reason), at: now(&self.0).await? };
        self.send(&caller, idempotency_key.0, &["pause signals", &body.canonical], command).await
    }

    /// Open signals again
    ///
    /// From the next check on. Nothing happens when they are not paused.
    #[oai(path = "/signal-bot/resume", method = "post", operation_id = "resumeSignals")]
    async fn resume(
        &self,
        caller: Allowed<SignalsWrite>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<HandReason>,
    ) -> Answer<SignalsChanged> {
        let command = Command::Resume { by_hand: by_hand(&caller, &body.value.reason), at: now(&self.0).await? };
        self.send(&caller, idempotency_key.0, &["resume signals", &body.canonical], command).await
    }
}

impl SignalBot {
    async fn send(
        &self,
        caller: &Allowed<SignalsWrite>,
        key: Option<String>,
        request: &[&str],
        command: Command,
    ) -> Answer<SignalsChanged> {
        let wish = Wish { command, cause: caller.cause(), once: once(caller, key, request)?, expected: None };
        signals_changed(&self.0.signals.send(XAUUSD, wish).await?)
    }
}

/// What is known of the market, and its last price.
async fn market(app: &App) -> Answer<(MarketStatus, Option<Price>)> {
    let Some(market) = &app.market else {
        let words = "No source of prices is configured: set TWELVE_DATA_API_KEY, or start with --sandbox.".to_owned();
        let status = MarketStatus {
            state: MarketState::Unavailable,
            words,
            now: app.clock.now(),
            price: None,
            price_at: None,
            complete_until: None,
            opens_at: None,
        };
        return Ok((status, None));
    };
    let standing = market.standing(app).await?;
    let now = standing.now;
    let (state, words) = match standing.fresh() {
        Err(stale) => (MarketState::Stale, format!("Nothing is decided now: {stale}.")),
        Ok(()) if standing.is_open() => (MarketState::Open, "Gold is traded, and its candles are complete.".to_owned()),
        Ok(()) if standing.is_over() => {
            let words = "The recording that is replayed is over: nothing happens any more. Another one needs another \
                         database (PROMOSTACK_HOME or DATABASE_URL).";
            (MarketState::Closed, words.to_owned())
        }
        Ok(()) => (MarketState::Closed, "Gold is not traded now.".to_owned()),
    };
    let latest = standing.latest;
    let status = MarketStatus {
        state,
        words,
        now,
        price: latest.map(|candle| candle.close.to_string()),
        price_at: latest.map(|candle| candle.opened_at + Timeframe::M1.length()),
        complete_until: standing.coverage.as_ref().map(|coverage| coverage.until),
        opens_at: standing.opens_at(),
    };
    Ok((status, latest.map(|candle| candle.close)))
}
