//! What signals came to.

use aggregates::signal::XAUUSD;
use chrono::{DateTime, Utc};
use poem_openapi::{OpenApi, param::Query, payload::Json};
use projections::signals::{self, Ended, Place, Which};
use trading::{
    Price, Trade,
    statistics::{Accumulator, Curve, Options},
};

use super::{
    Tags,
    auth::{Allowed, SignalsRead},
    csv::{PIECE, Table, pieces},
    params::{instant, shows, usual_wait},
    problem::{Answer, Problem},
    signal_names::SignalOwner,
    signal_statistics_json::{EquityCurve, EquityPoint, EquityTable, ForexStatistics, point_line},
    thin::Thin,
};
use crate::{app::App, signals::now};

pub(super) struct SignalStatistics(pub(super) App);

#[OpenApi(tag = "Tags::Signals")]
impl SignalStatistics {
    /// Show what signals came to
    ///
    /// In the figures that traders expect: win rate, profit factor, expectancy, the distribution of R, streaks, drawdown,
    /// Sharpe, Sortino and Calmar, and all by strategy, session, weekday, month, exit and direction. Signals that were never
    /// entered do not count.
    #[oai(path = "/forex-signals/statistics", method = "get", operation_id = "getForexStatistics")]
    async fn statistics(
        &self,
        _caller: Allowed<SignalsRead>,
        /// Only signals that ended then or later, and when the time that is looked at begins; without it, with the first one.
        from: Query<Option<DateTime<Utc>>>,
        /// Only signals that ended before, and when the time that is looked at ends; without it, now.
        to: Query<Option<DateTime<Utc>>>,
        /// Only signals of this strategy, or those made by hand.
        strategy: Query<Option<SignalOwner>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<ForexStatistics>> {
        let asked = Asked::new(from.0, to.0, strategy.0)?;
        shows(&self.0, "signals", min_position.0, wait_ms.0).await?;
        let to = match asked.to {
            Some(to) => to,
            None => now(&self.0).await?,
        };
        let pip = self.0.signals.look(XAUUSD, |signal, _, _| signal.settings().pip).await?;
        let options = Options { from: asked.from, to: Some(to), pip };
        let mut statistics = Accumulator::new(options);
        asked.each(&self.0, |trade, pip| statistics.add_in(trade, pip)).await?;
        Ok(Json((&statistics.finish()).into()))
    }

    /// Show the equity curve
    ///
    /// The sums of R and of gains per ounce after each signal that was entered and has ended. Of many signals it has 1,000
    /// points at most, evenly apart; `exportForexEquityCurve` has one for each.
    #[oai(path = "/forex-signals/equity-curve", method = "get", operation_id = "getForexEquityCurve")]
    async fn equity(
        &self,
        _caller: Allowed<SignalsRead>,
        /// Only signals that ended then or later.
        from: Query<Option<DateTime<Utc>>>,
        /// Only signals that ended before.
        to: Query<Option<DateTime<Utc>>>,
        /// Only signals of this strategy, or those made by hand.
        strategy: Query<Option<SignalOwner>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<EquityCurve>> {
        let asked = Asked::new(from.0, to.0, strategy.0)?;
        shows(&self.0, "signals", min_position.0, wait_ms.0).await?;
        let (mut curve, mut points) = (Curve::default(), Thin::new());
        asked.each(&self.0, |trade, _| points.push(curve.add(trade))).await?;
        let signals = points.seen() as u64;
        Ok(Json(EquityCurve { items: points.into_items().into_iter().map(EquityPoint::from).collect(), signals }))
    }

    /// Export the equity curve
    ///
    /// All points of the curve, one for each signal, as CSV.
    #[oai(path = "/forex-signals/equity-curve.csv", method = "get", operation_id = "exportForexEquityCurve")]
    async fn export(
        &self,
        _caller: Allowed<SignalsRead>,
        /// Only signals that ended then or later.
        from: Query<Option<DateTime<Utc>>>,
        /// Only signals that ended before.
        to: Query<Option<DateTime<Utc>>>,
        /// Only signals of this strategy, or those made by hand.
        strategy: Query<Option<SignalOwner>>,
    ) -> Answer<Table<EquityTable>> {
        let asked = Asked::new(from.0, to.0, strategy.0)?;
        let app = self.0.clone();
        let lines = pieces(move |at: Option<(Place, Curve)>| {
            let app = app.clone();
            async move {
                let (after, mut curve) = at.map_or((None, Curve::default()), |(place, curve)| (Some(place), curve));
                let (ended, next) = asked.piece(&app, after).await?;
                let trades = ended.iter().filter_map(Ended::trade);
                let lines: String = trades.map(|trade| point_line(&curve.add(&trade))).collect();
                Ok::<_, sqlx::Error>((lines, next.map(|place| (place, curve))))
            }
        });
        Ok(Table::named("equity-curve", lines))
    }
}

/// Which signals are looked at.
#[derive(Clone, Copy)]
struct Asked {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    strategy: Option<SignalOwner>,
}

impl Asked {
    fn new(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>, strategy: Option<SignalOwner>) -> Answer<Self> {
        let (from, to) = (instant("from", from)?, instant("to", to)?);
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(Problem::input("from", "must be earlier than to"));
        }
        Ok(Self { from, to, strategy })
    }

    /// Shows each trade, and what one pip was then, in the order in which they ended.
    async fn each(&self, app: &App, mut show: impl FnMut(&Trade, Price)) -> Answer<()> {
        let mut after = None;
        loop {
            let (ended, next) = self.piece(app, after).await?;
            for signal in &ended {
                if let Some(trade) = signal.trade() {
                    show(&trade, signal.result.pip);
                }
            }
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// A piece of them, and where the next one begins; none after the last.
    async fn piece(&self, app: &App, after: Option<Place>) -> Result<(Vec<Ended>, Option<Place>), sqlx::Error> {
        let whose = self.strategy.map(Into::into);
        let which = Which { from: self.from, to: self.to, whose, entered: true, newest_first: false };
        let ended = signals::ended(&app.pool, XAUUSD, which, after, PIECE).await?;
        let next = ended.last().filter(|_| ended.len() as i64 == PIECE).map(Ended::place);
        Ok((ended, next))
    }
}
