//! What people ask the bot in private, and what admins have it do.

use std::time::Duration;

use aggregates::{
    ByHand, Personal, Signal,
    signal::{self, Event, XAUUSD},
};
use chrono::{DateTime, TimeDelta, Utc};
use projections::signals::{Ended, Place, Which};
use trading::{Price, StrategyKind};
use uuid::Uuid;

use super::input::Input;
use crate::{
    app::App,
    bots::texts::{
        self, Texts,
        signals::{Figures, Last, Line, OpenNow, Standing, Totals},
    },
    executor::{SendError, Wish},
    feed,
    integrations::telegram::{
        OutgoingMessage,
        update::{self, Kind, Sender},
    },
    jobs::{Job, JobError},
    log::{Cause, Once},
    market::MarketError,
    secrets::fingerprint,
    signals::{
        self,
        by_hand::{ByHandError, ending},
        chart::decimals,
    },
};

/// The source of the keys under which updates do something once.
const SOURCE: &str = "forex-bot:admins";
/// What `/stats` is about.
const DAYS: u32 = 30;
/// Signals read for it at a time.
const PAGE: i64 = 500;
/// Where those that have ended are found.
const READ_MODEL: &str = "signals";
/// So long it may take to show what was just done.
const PATIENCE: Duration = Duration::from_secs(2);
/// The reason kept when an admin gives none.
const NO_REASON: &str = "no reason given";

/// Works a stored update and answers the replies to send.
///
/// # Errors
/// [`JobError`]; working it again is harmless.
pub(crate) async fn work(app: &App, correlation: Uuid, body: &str) -> Result<Vec<Job>, JobError> {
    let update = update::read(body.as_bytes()).map_err(|error| JobError::fail(&error))?;
    let Kind::PrivateText { from, text, message_id } = update.kind else { return Ok(vec![]) };
    let texts = texts::in_language(from.language_code.as_deref());
    let turn = Turn { app, texts, from: &from, correlation, update_id: update.update_id };
    let reply = turn.reply(Input::read(&text)).await?;
    Ok(vec![Job::ForexMessage(OutgoingMessage {
        chat_id: from.id,
        text: reply,
        reply_to: Some(message_id),
        ..OutgoingMessage::default()
    })])
}

struct Turn<'a> {
    app: &'a App,
    texts: &'static dyn Texts,
    from: &'a Sender,
    correlation: Uuid,
    update_id: i64,
}

impl Turn<'_> {
    fn is_admin(&self) -> bool {
        self.app.config.telegram_admin_ids.contains(&self.from.id)
    }

    async fn reply(&self, input: Input) -> Result<String, JobError> {
        let texts = self.texts;
        // To everybody else there are no admins' commands.
        if input.is_for_admins() && !self.is_admin() {
            return Ok(texts.forex_help().to_owned());
        }
        Ok(match input {
            Input::Start => self.help(texts.forex_welcome(&self.from.first_name)),
            Input::Help => self.help(texts.forex_help().to_owned()),
            Input::Status => texts.signal_status(&self.standing().await?),
            Input::Stats => texts.signal_figures(&self.figures().await?),
            Input::Last => texts.signal_last(self.last().await?.as_ref()),
            Input::Pause(reason) => {
                let command = signal::Command::Pause { by_hand: self.by_hand(reason), at: self.now().await? };
                self.done(command, b"pause", texts.signals_paused()).await?
            }
            Input::Resume => {
                let command = signal::Command::Resume { by_hand: self.by_hand(None), at: self.now().await? };
                self.done(command, b"resume", texts.signals_resumed()).await?
            }
            Input::Close(reason) => self.close(reason).await?,
            Input::Strategy(name) => self.strategy(name.as_deref()).await?,
        })
    }

    fn help(&self, text: String) -> String {
        if self.is_admin() { format!("{text}\n\n{}", self.texts.forex_admin_help()) } else { text }
    }

    /// By the market's clock.
    async fn now(&self) -> Result<DateTime<Utc>, JobError> {
        signals::now(self.app).await.map_err(|error| JobError::retry(&error))
    }

    /// The last price, if it is recent enough to decide on.
    async fn price(&self) -> Result<Option<Price>, JobError> {
        let Some(market) = &self.app.market else { return Ok(None) };
        let standing = market.standing(self.app).await.map_err(|error| JobError::retry(&error))?;
        Ok(standing.latest.filter(|_| standing.fresh().is_ok()).map(|candle| candle.close))
    }

    async fn signal(&self) -> Result<Signal, JobError> {
        let look = self.app.signals.look(XAUUSD, |signal, _, _| signal.clone()).await;
        look.map_err(|error| JobError::retry(&error))
    }

    async fn standing(&self) -> Result<Standing, JobError> {
        let (signal, price, now) = (self.signal().await?, self.price().await?, self.now().await?);
        let ends = signals::ends(self.app).await.map_err(|error| JobError::retry(&error))?;
        let open = signal.open().map(|open| {
            let show = |price: Price| price.fixed(decimals(open.settings.tick));
            let hit = open.running().map_or(0, |running| usize::from(running.hit));
            let targets = open.levels.targets.iter().enumerate();
            OpenNow {
                number: open.number,
                direction: open.levels.direction,
                entry: open.running().map(|running| show(running.entry)),
                stop: show(open.running().map_or(open.levels.stop, |running| running.stop)),
                targets: targets.map(|(index, target)| (show(target.price), index < hit)).collect(),
                now: price.filter(|_| open.running().is_some()).map(|price| (show(price), open.result_at(price))),
            }
        });
        Ok(Standing {
            open,
            paused: signal.paused().map(|pause| pause.since),
            strategy: signal.strategy(),
            queued: signal.queued(),
            next_check: signals::next_check(self.app, &signal, now, ends),
        })
    }

    /// A piece of the signals that have ended; with all that was heard of before this was asked, as a rule.
    async fn ended(&self, which: Which, after: Option<Place>, limit: i64) -> Result<Vec<Ended>, JobError> {
        let pool = &self.app.pool;
        let last = self.app.log.last_position().await.map_err(|error| JobError::retry(&error))?;
        // Should it take longer, the answer is what is shown by then: what an admin wants next must not wait for it.
        feed::wait_for(pool, READ_MODEL, last, PATIENCE).await.map_err(|error| JobError::retry(&error))?;
        let ended = projections::signals::ended(pool, XAUUSD, which, after, limit).await;
        ended.map_err(|error| JobError::retry(&error))
    }

    async fn figures(&self) -> Result<Figures, JobError> {
        let since = self.now().await? - TimeDelta::days(i64::from(DAYS));
        let which = Which { from: Some(since), ..Which::default() };
        let (mut lines, mut after) = (vec![], None);
        loop {
            let ended = self.ended(which, after, PAGE).await?;
            lines.extend(ended.iter().map(line));
            if (ended.len() as i64) < PAGE {
                return Ok(Figures { days: DAYS, totals: Totals::of(&lines) });
            }
            after = ended.last().map(Ended::place);
        }
    }

    async fn last(&self) -> Result<Option<Last>, JobError> {
        let which = Which { newest_first: true, ..Which::default() };
        let last = self.ended(which, None, 1).await?.pop();
        Ok(last.map(|ended| Last { line: line(&ended), at: ended.closed_at }))
    }

    async fn close(&self, reason: Option<String>) -> Result<String, JobError> {
        // This message may have ended one already, before it was answered.
        let before = match self.app.signals.answered(&self.once(b"close")).await {
            Ok(before) => before,
            Err(SendError::Refused(_)) => None,
            Err(error) => return Err(JobError::retry(&error)),
        };
        if let Some(number) = before.and_then(|done| done.events.iter().find_map(Event::number)) {
            return Ok(self.texts.signal_ended(number));
        }
        let signal = self.signal().await?;
        let Some(number) = signal.open().map(|open| open.number) else {
            return Ok(self.texts.no_signal_open().to_owned());
        };
        let command = match ending(self.app, number, self.by_hand(reason)).await {
            Ok(command) => command,
            Err(ByHandError::Closed { .. }) => return Ok(self.texts.market_closed().to_owned()),
            Err(ByHandError::NoMarket | ByHandError::Market(MarketError::Stale(_))) => {
                return Ok(self.texts.price_unknown().to_owned());
            }
            Err(error) => return Err(JobError::retry(&error)),
        };
        self.done(command, b"close", &self.texts.signal_ended(number)).await
    }

    async fn strategy(&self, name: Option<&str>) -> Result<String, JobError> {
        let signal = self.signal().await?;
        let Some(name) = name else { return Ok(self.texts.strategies(signal.strategy(), signal.queued())) };
        let wanted = StrategyKind::ALL.into_iter().find(|strategy| strategy.as_str().eq_ignore_ascii_case(name));
        let Some(strategy) = wanted else { return Ok(self.texts.no_such_strategy()) };
        let command = signal::Command::Choose { strategy, at: self.now().await? };
        let is_queued = signal.open().is_some() && signal.strategy() != strategy;
        self.done(command, b"strategy", &self.texts.strategy_chosen(strategy, is_queued)).await
    }

    /// Sends a command once for this update; answers `told`, or that nothing changed.
    async fn done(&self, command: signal::Command, what: &[u8], told: &str) -> Result<String, JobError> {
        let once = self.once(what);
        let person = self.app.person_of_telegram(self.from.id).await.map_err(|error| JobError::retry(&error))?;
        let cause = Cause {
            actor: format!("person:{person}").into(),
            correlation: self.correlation,
            causation: format!("telegram-update:{}", self.update_id).into(),
        };
        match self.app.signals.send(XAUUSD, Wish { command, cause, once: Some(once), expected: None }).await {
            Ok(done) if done.events.is_empty() => Ok(self.texts.signals_as_before().to_owned()),
            Ok(_) => Ok(told.to_owned()),
            // It ended in the meantime.
            Err(SendError::Refused(signal::Refusal::NoneOpen | signal::Refusal::Another { .. })) => {
                Ok(self.texts.no_signal_open().to_owned())
            }
            // It was entered in the meantime.
            Err(SendError::Refused(signal::Refusal::Price)) => Ok(self.texts.price_unknown().to_owned()),
            Err(error @ (SendError::Refused(_) | SendError::KeyReused)) => Err(JobError::fail(&error)),
            Err(error) => Err(JobError::retry(&error)),
        }
    }

    fn once(&self, what: &[u8]) -> Once {
        Once {
            source: SOURCE.into(),
            key: self.update_id.to_string().into(),
            fingerprint: fingerprint(&[what, &self.from.id.to_be_bytes()]),
            keeps_refusals: true,
        }
    }

    fn by_hand(&self, reason: Option<String>) -> ByHand {
        let name: String = self.from.first_name.chars().filter(|c| !c.is_control()).take(200).collect();
        let by = if name.trim().is_empty() { "an admin".to_owned() } else { name };
        ByHand { by: Personal::new(by), reason: Personal::new(reason.unwrap_or_else(|| NO_REASON.to_owned())) }
    }
}

fn line(ended: &Ended) -> Line {
    Line { number: ended.number, exit: ended.exit, entered: ended.entered.is_some(), result: ended.result }
}
