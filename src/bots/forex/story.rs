//! An event of a signal with what came before it: all that a post tells.

use aggregates::{
    Fact, Signal,
    signal::{Event, Milestone, Open, Period, SignalResult},
};
use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate;
use trading::{Exit, Price};

use super::{
    posts::{Draft, OPENING},
    words::{self, Brief, Fact as Said, Kind},
};
use crate::{
    app::App,
    bots::texts::{
        self, Texts,
        signals::{Late, Line, Opening, Report, Totals, Update, signed},
    },
    jobs::JobError,
    log::Selection,
    reactions::is_posted,
    signals::chart::{self, Chart, decimals},
};

/// Events looked at for the one that opened a signal, at a time.
const PAGE: i64 = 100;
/// After so long, a new signal is posted as one that comes late.
const LATE: TimeDelta = TimeDelta::minutes(5);

/// An event that is posted.
pub(super) struct Story {
    stream: String,
    position: i64,
    event: Event,
    recorded_at: DateTime<Utc>,
    /// The signal it is about as it was before the event; for one that opens it, after.
    open: Option<Open>,
    /// What happened to it until then, and the event.
    course: Vec<Event>,
}

impl Story {
    /// Reads it from the log; none if the event is not posted.
    pub(super) async fn read(app: &App, stream: &str, position: i64) -> Result<Option<Self>, JobError> {
        let recorded = app.log.at(position).await.map_err(|error| JobError::retry(&error))?;
        let Some(recorded) = recorded else {
            return Err(JobError::Fail { reason: "there is no such event".to_owned() });
        };
        let event = match recorded.fact().map_err(|error| JobError::retry(&error))? {
            Fact::Signal(event) if is_posted(&event) => event,
            _ => return Ok(None),
        };
        let (stream, recorded_at) = (stream.to_owned(), recorded.recorded_at);
        let mut course = vec![event.clone()];
        if event.number().is_some() && !opens(&event) {
            course = before(app, &stream, position).await?;
            course.push(event.clone());
        }
        let mut signal = Signal::default();
        let known = if opens(&event) { course.len() } else { course.len() - 1 };
        course[..known].iter().cloned().for_each(|event| signal.apply(event));
        let open = signal.open().cloned();
        if event.number().is_some() && open.is_none() {
            return Err(JobError::Fail { reason: "the event is about no open signal".to_owned() });
        }
        Ok(Some(Self { stream, position, event, recorded_at, open, course }))
    }

    pub(super) const fn number(&self) -> Option<u32> {
        self.event.number()
    }

    pub(super) const fn is_opening(&self) -> bool {
        opens(&self.event)
    }

    /// Decimal places of prices.
    fn decimals(&self) -> u32 {
        self.open.as_ref().map_or(2, |open| decimals(open.settings.tick))
    }

    /// The post. Its words are asked for once.
    pub(super) async fn draft(&self, app: &App, reply_to: Option<i32>) -> Result<Draft, JobError> {
        let late = self.late(app).await?;
        let texts = texts::of_channel(app.config.forex.language);
        let text = match &self.event {
            Event::Recapped { period, from, to, outcomes, .. } => {
                let lines: Vec<Line> = outcomes
                    .iter()
                    .map(|outcome| Line {
                        number: outcome.number,
                        exit: outcome.exit,
                        entered: outcome.entered,
                        result: outcome.result,
                    })
                    .collect();
                self.report(app, texts, &Report { period: *period, from: *from, to: *to, lines: &lines }).await
            }
            _ => match (self.opening(late), self.update(), self.number()) {
                (Some(opening), ..) => texts.opening(&opening),
                (None, Some(update), Some(number)) => self.reply(app, texts, number, &update).await,
                _ => String::new(),
            },
        };
        Ok(Draft { number: self.number(), kind: self.kind(), text, reply_to, silent: self.is_minor() })
    }

    /// What is posted now instead of what was written down when it was news; none while it
    /// is, and of all that is no opening.
    pub(super) async fn late_text(&self, app: &App) -> Result<Option<String>, JobError> {
        let late = self.late(app).await?;
        let opening = late.and_then(|late| self.opening(Some(late)));
        Ok(opening.map(|opening| texts::of_channel(app.config.forex.language).opening(&opening)))
    }

    /// What is to be said of an opening's time.
    async fn late(&self, app: &App) -> Result<Option<Late>, JobError> {
        if !self.is_opening() {
            return Ok(None);
        }
        // There is one signal at a time: the next end is the end of this one.
        let ends = Selection {
            aggregate_type: Some(Signal::TYPE.to_owned()),
            aggregate_id: Some(self.stream.clone()),
            event_type: Some("Closed".to_owned()),
            ..Selection::default()
        };
        let end = app.log.select(&ends, Some(self.position), 1).await.map_err(|error| JobError::retry(&error))?;
        let is_over = !end.events.is_empty();
        let is_late = is_over || app.clock.now() - self.recorded_at > LATE;
        Ok(is_late.then_some(Late { since: self.recorded_at, is_over }))
    }

    const fn kind(&self) -> &'static str {
        match &self.event {
            Event::Opened { .. } | Event::OpenedByHand { .. } => OPENING,
            Event::Entered { .. } => "entered",
            Event::MilestoneReached { .. } => "milestone",
            Event::TargetHit { .. } => "target",
            Event::StopMoved { .. } => "stop_moved",
            Event::Weakened { .. } => "weakened",
            Event::Regained { .. } => "regained",
            Event::Closed { .. } => "closed",
            Event::Recapped { .. } => "report",
            _ => "other",
        }
    }

    /// Whether nobody has to be woken for it.
    const fn is_minor(&self) -> bool {
        matches!(
            self.event,
            Event::MilestoneReached { milestone: Milestone::Forty, .. }
                | Event::StopMoved { .. }
                | Event::Weakened { .. }
                | Event::Regained { .. }
        )
    }

    fn opening(&self, late: Option<Late>) -> Option<Opening<'_>> {
        let open = self.open.as_ref().filter(|_| self.is_opening())?;
        Some(Opening {
            symbol: &self.stream,
            number: open.number,
            levels: &open.levels,
            strategy: open.strategy.map(|strategy| (strategy, open.settings.timeframe)),
            waits: open.running().is_none(),
            expires_at: open.expires_at,
            pip: open.settings.pip,
            decimals: self.decimals(),
            risk_percent: open.settings.risk_percent,
            late,
        })
    }

    fn update(&self) -> Option<Update> {
        let open = self.open.as_ref()?;
        let risk = open
            .running()
            .map_or(open.levels.risk(), |running| -open.levels.direction.gain(running.entry, open.levels.stop));
        let result = |gain: Price| SignalResult { gain, risk, pip: open.settings.pip };
        Some(match &self.event {
            Event::Entered { price, .. } => Update::Entered { price: price.fixed(self.decimals()) },
            Event::MilestoneReached { milestone, price, .. } => {
                let gain = open.running().map(|running| open.levels.direction.gain(running.entry, *price));
                Update::Milestone { milestone: *milestone, gain: result(gain.unwrap_or_default()) }
            }
            Event::TargetHit { target, share, gain, .. } => {
                let is_last = usize::from(*target) == open.levels.targets.len();
                Update::Target { target: *target, share: *share, gain: result(*gain), is_last }
            }
            Event::StopMoved { .. } => Update::StopMoved,
            Event::Weakened { weakness, .. } => Update::Weakened { weakness: *weakness },
            Event::Regained { .. } => Update::Regained,
            Event::Closed { exit, price, result, .. } => {
                Update::Closed { exit: *exit, is_entered: price.is_some(), total: *result }
            }
            _ => return None,
        })
    }

    async fn reply(&self, app: &App, texts: &dyn Texts, number: u32, update: &Update) -> String {
        let head = texts.update_head(number, update);
        let Some(template) = texts.update_words(update) else { return head };
        let (kind, result) = match update {
            Update::Milestone { milestone: Milestone::Forty, gain } => (Kind::Under, gain),
            Update::Milestone { milestone: Milestone::Seventy, gain } => (Kind::Near, gain),
            Update::Target { gain, .. } => (Kind::Target, gain),
            Update::Closed { exit: Exit::Stop, total, .. } if total.gain > Price::ZERO => (Kind::Saved, total),
            Update::Closed { exit: Exit::Stop, total, .. } => (Kind::Stop, total),
            _ => return format!("{head}\n\n{template}"),
        };
        let gain = texts.gain(result);
        let mut facts = vec![
            Said { name: "signal", value: format!("#{number}") },
            Said { name: "pips", value: gain.pips },
            Said { name: "dollars an ounce", value: gain.money },
            Said { name: "multiples of the risk", value: gain.r },
        ];
        match update {
            Update::Milestone { milestone, .. } => {
                facts.push(Said { name: "of the way to the first target", value: format!("{}%", milestone.percent()) });
            }
            Update::Target { target, share, .. } => {
                facts.push(Said { name: "target", value: format!("TP{target}") });
                facts.push(Said { name: "share of the position closed", value: format!("{share}%") });
            }
            _ => {}
        }
        let brief = Brief { kind, language: app.config.forex.language, facts };
        let words = words::or_template(app.copywriter.as_ref(), &brief, template.to_owned()).await;
        format!("{head}\n\n{words}")
    }

    async fn report(&self, app: &App, texts: &dyn Texts, report: &Report<'_>) -> String {
        let totals = Totals::of(report.lines);
        let mut facts = vec![
            Said { name: "won", value: totals.won.to_string() },
            Said { name: "lost", value: totals.lost.to_string() },
            Said { name: "in all, in multiples of the risk", value: format!("{} R", signed(totals.r, 2)) },
            Said { name: "in all, in pips", value: format!("{} {}", signed(totals.pips, 1), texts.pips()) },
        ];
        facts.extend(totals.win_rate().map(|value| Said { name: "won of those entered", value }));
        let kind = match report.period {
            Period::Day => Kind::Day,
            Period::Week => Kind::Week,
        };
        let brief = Brief { kind, language: app.config.forex.language, facts };
        let template = texts.report_words(&totals).to_owned();
        let words = words::or_template(app.copywriter.as_ref(), &brief, template).await;
        format!("{}\n\n{words}", texts.report_head(report))
    }

    /// The chart below which it is posted: of a signal that opens, and of one that is over.
    /// Without candles there is none.
    pub(super) async fn picture(&self, app: &App) -> Result<Option<Vec<u8>>, JobError> {
        let is_closed = matches!(self.event, Event::Closed { price: Some(_), .. });
        let Some(open) = self.open.clone().filter(|_| self.is_opening() || is_closed) else { return Ok(None) };
        let result = match &self.event {
            Event::Closed { result, .. } => Some(*result),
            _ => None,
        };
        let chart = Chart {
            stream: self.stream.clone(),
            number: open.number,
            timeframe: open.settings.timeframe,
            tick: open.settings.tick,
            opened_at: open.opened_at,
            levels: open.levels,
            until: self.event.at(),
            marks: self.course.iter().filter_map(chart::mark).collect(),
            result,
        };
        chart.draw(app).await.map_err(|error| JobError::retry(&error))
    }
}

const fn opens(event: &Event) -> bool {
    matches!(event, Event::Opened { .. } | Event::OpenedByHand { .. })
}

/// What happened to the signal that was open at a position, from its opening on. There is
/// one at a time, so its opening is the last one.
async fn before(app: &App, stream: &str, position: i64) -> Result<Vec<Event>, JobError> {
    let selection = Selection {
        aggregate_type: Some(Signal::TYPE.to_owned()),
        aggregate_id: Some(stream.to_owned()),
        newest_first: true,
        ..Selection::default()
    };
    let (mut events, mut cursor) = (vec![], Some(position));
    while let Some(from) = cursor {
        let page = app.log.select(&selection, Some(from), PAGE).await.map_err(|error| JobError::retry(&error))?;
        for recorded in page.events {
            let Fact::Signal(event) = recorded.fact().map_err(|error| JobError::retry(&error))? else { continue };
            let found = opens(&event);
            events.push(event);
            if found {
                events.reverse();
                return Ok(events);
            }
        }
        cursor = page.next;
    }
    Ok(vec![])
}
