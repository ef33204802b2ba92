//! How signals are made, as it comes in.

use serde_json::Value;
use trading::{Blackout, Breakout, Hours, Momentum, Price, Reversion, Session, Settings, Share, Timeframe, Trend};

use super::{
    body::{Fields, Input, flag, instant, one_of, price, text, whole},
    signal_config_json::{
        BlackoutConfig, BreakoutConfig, ForexConfig, HoursConfig, MomentumConfig, ReversionConfig, TargetConfig,
        TrendConfig, WEEK, weekday,
    },
};

/// A number, within what the settings check themselves.
fn number(value: Value) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| "must be a number".to_owned())
}

/// So many candles.
fn period(value: Value) -> Result<u16, String> {
    whole(2, Settings::PERIOD.into())(value)
}

/// Minutes, within what the settings check themselves.
fn minutes(value: Value) -> Result<u32, String> {
    whole(0, 10_080)(value)
}

impl Input for Trend {
    type Document = TrendConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (fast, slow) = (fields.required("fast", period), fields.required("slow", period));
        let (adx, adx_min) = (fields.required("adx", period), fields.required("adx_min", number));
        Some(Self { fast: fast?, slow: slow?, adx: adx?, adx_min: adx_min? })
    }
}

impl Input for Reversion {
    type Document = ReversionConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (rsi, oversold) = (fields.required("rsi", period), fields.required("oversold", number));
        let (overbought, bands) = (fields.required("overbought", number), fields.required("bands", period));
        let deviations = fields.required("deviations", number);
        Some(Self { rsi: rsi?, oversold: oversold?, overbought: overbought?, bands: bands?, deviations: deviations? })
    }
}

impl Input for Breakout {
    type Document = BreakoutConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (channel, thrust_atr) = (fields.required("channel", period), fields.required("thrust_atr", number));
        Some(Self { channel: channel?, thrust_atr: thrust_atr? })
    }
}

impl Input for Momentum {
    type Document = MomentumConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (fast, slow) = (fields.required("fast", period), fields.required("slow", period));
        let (signal, trend) = (fields.required("signal", period), fields.required("trend", period));
        let rsi = fields.required("rsi", period);
        let (oversold, overbought) = (fields.required("oversold", number), fields.required("overbought", number));
        Some(Self {
            fast: fast?,
            slow: slow?,
            signal: signal?,
            trend: trend?,
            rsi: rsi?,
            oversold: oversold?,
            overbought: overbought?,
        })
    }
}

impl Input for Share {
    type Document = TargetConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (atr, percent) = (fields.required("atr", number), fields.required("percent", whole(1, 100)));
        Some(Self { atr: atr?, percent: percent? })
    }
}

impl Input for Hours {
    type Document = HoursConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (from, to) = (fields.required("from", whole(0, 1_439)), fields.required("to", whole(0, 1_440)));
        Some(Self { from: from?, to: to? })
    }
}

impl Input for Blackout {
    type Document = BlackoutConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (from, to) = (fields.required("from", instant), fields.required("to", instant));
        let label = fields.required("label", text);
        Some(Self { from: from?, to: to?, label: label? })
    }
}

/// Sessions, each once.
fn sessions(value: Value) -> Result<Vec<Session>, String> {
    let Value::Array(words) = value else { return Err("must be a list of sessions".to_owned()) };
    let mut sessions: Vec<Session> = vec![];
    for word in words {
        let session = one_of(&Session::ALL, Session::as_str)(word).map_err(|reason| format!("each {reason}"))?;
        if sessions.contains(&session) {
            return Err(format!("has {} twice", session.as_str()));
        }
        sessions.push(session);
    }
    Ok(sessions)
}

/// New settings, as they were read.
pub(super) struct NewSettings(pub(super) Settings);

impl Input for NewSettings {
    type Document = ForexConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let timeframe = fields.required("timeframe", one_of(&Timeframe::ALL, Timeframe::as_str));
        let (tick, pip): (_, Option<Price>) = (fields.required("tick", price), fields.required("pip", price));
        let (trend, reversion) = (fields.required_object("trend"), fields.required_object("reversion"));
        let (breakout, momentum) = (fields.required_object("breakout"), fields.required_object("momentum"));
        let atr = fields.required("atr", period);
        let (stop_atr, zone_atr) = (fields.required("stop_atr", number), fields.required("zone_atr", number));
        let targets = fields.list("targets", trading::Levels::TARGETS);
        let breakeven = fields.required("breakeven", flag);
        let hours = fields.object("hours");
        let sessions = fields.optional("sessions", sessions).unwrap_or_default();
        let blackouts = fields.optional_list("blackouts", Settings::BLACKOUTS).unwrap_or_default();
        let cool_down = fields.required("cool_down", minutes);
        let daily_loss = fields.optional("daily_loss", number);
        let (stagnant_after, review_every) =
            (fields.required("stagnant_after", minutes), fields.required("review_every", minutes));
        let close_when_weak = fields.required("close_when_weak", flag);
        let recap_at = fields.required("recap_at", whole(0, 1_439));
        let recap_on = fields.required("recap_on", one_of(&WEEK, weekday));
        let risk_percent = fields.required("risk_percent", number);
        Some(Self(Settings {
            timeframe: timeframe?,
            tick: tick?,
            pip: pip?,
            trend: trend?,
            reversion: reversion?,
            breakout: breakout?,
            momentum: momentum?,
            atr: atr?,
            stop_atr: stop_atr?,
            zone_atr: zone_atr?,
            targets: targets?,
            breakeven: breakeven?,
            hours,
            sessions,
            blackouts,
            cool_down: cool_down?,
            daily_loss,
            stagnant_after: stagnant_after?,
            review_every: review_every?,
            close_when_weak: close_when_weak?,
            recap_at: recap_at?,
            recap_on: recap_on?,
            risk_percent: risk_percent?,
        }))
    }
}
