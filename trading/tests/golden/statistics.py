"""Makes statistics.json: trades from a seed, and what pandas and numpy make of them.

    python -m venv venv && venv/bin/pip install numpy pandas
    venv/bin/python trading/tests/golden/statistics.py

Sums of prices are of whole units, so that they are exact.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

UNITS = 100_000
PIP = 10_000
FROM = pd.Timestamp("2024-11-29T06:00:00Z")
TO = pd.Timestamp("2026-02-14T12:00:00Z")


def price(units: int) -> str:
    sign, units = ("-" if units < 0 else ""), abs(int(units))
    whole, rest = divmod(units, UNITS)
    return sign + (f"{whole}.{rest:05}".rstrip("0").rstrip("."))


def trades(seed: int, count: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    wait = rng.exponential(22.0, count) * 3600
    held = rng.gamma(1.6, 4000.0, count)
    rows, now = [], FROM.timestamp()
    for n in range(count):
        opened = int(now + wait[n]) // 60 * 60
        closed = opened + max(60, int(held[n]) // 60 * 60)
        now = closed
        risk = int(rng.integers(150, 2500)) * 1000
        kind = rng.choice(["target", "stop", "breakeven", "stagnant", "weak", "cancelled", "expired", None],
                          p=[0.3, 0.34, 0.12, 0.1, 0.05, 0.03, 0.03, 0.03])
        reach = {"target": rng.uniform(0.5, 3.2), "stop": -1.0, "breakeven": rng.choice([0.0, 0.5]),
                 "stagnant": rng.uniform(-0.9, 0.9)}.get(kind, rng.uniform(-0.8, 1.2))
        rows.append({
            "number": n + 1,
            "strategy": rng.choice(["trend", "reversion", "breakout", "momentum"]),
            "direction": rng.choice(["buy", "sell"]),
            "opened": opened, "closed": closed,
            "entry": int(rng.integers(200_000, 450_000)) * 1000,
            "risk": risk,
            "gain": round(reach * risk / 100) * 100,
            "exit": kind,
        })
    frame = pd.DataFrame(rows)
    frame["opened"] = pd.to_datetime(frame.opened, unit="s", utc=True)
    frame["closed"] = pd.to_datetime(frame.closed, unit="s", utc=True)
    frame["r"] = frame.gain / frame.risk
    frame["seconds"] = (frame.closed - frame.opened).dt.total_seconds()
    return frame


def of(value):
    """A number for JSON; null for what cannot be said."""
    return None if value is None or not np.isfinite(value) else float(value)


def figures(frame: pd.DataFrame) -> dict:
    won, lost = frame[frame.gain > 0], frame[frame.gain < 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        loss, loss_r = np.float64(-lost.gain.sum()), np.float64(-lost.r.sum())
        return {
            "trades": len(frame), "wins": len(won), "losses": len(lost), "draws": int((frame.gain == 0).sum()),
            "win_percent": of((frame.gain > 0).mean() * 100),
            "gain": price(frame.gain.sum()),
            "pips": of(frame.gain.sum() / PIP),
            "r": of(frame.r.sum()),
            "gross_profit": price(won.gain.sum()), "gross_loss": price(-lost.gain.sum()),
            "profit_factor": of(won.gain.sum() / loss) if loss else None,
            "profit_factor_r": of(won.r.sum() / loss_r) if loss else None,
            "average_win": of(won.gain.mean() / UNITS), "average_loss": of(-lost.gain.mean() / UNITS),
            "average_win_r": of(won.r.mean()), "average_loss_r": of(-lost.r.mean()),
            "payoff_ratio": of(won.r.mean() / -lost.r.mean()) if len(lost) else None,
            "expectancy": of(frame.gain.mean() / UNITS),
            "expectancy_pips": of(frame.gain.mean() / PIP),
            "expectancy_r": of(frame.r.mean()),
        }


def instant(at) -> str:
    return pd.Timestamp(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def drawdown(frame: pd.DataFrame, column: str):
    """By the running maximum of a curve that starts at nothing."""
    start = pd.Series([0.0], index=[FROM])
    curve = pd.concat([start, frame.set_index("closed")[column].astype(float).cumsum()])
    under = curve.cummax() - curve
    trough = under.argmax()
    if under.iloc[trough] == 0:
        return None, curve, under
    peak = np.flatnonzero(under.iloc[:trough] == 0)[-1]
    after = np.flatnonzero(under.iloc[trough:] == 0)
    return {
        "depth": under.iloc[trough],
        "peak_at": instant(curve.index[peak]),
        "trough_at": instant(curve.index[trough]),
        "recovered_at": instant(curve.index[trough + after[0]]) if len(after) else None,
    }, curve, under


def under_water(under: pd.Series) -> list:
    """Seconds of each stay below the peak."""
    dry = under.index[under == 0]
    ends = dry[1:].append(pd.DatetimeIndex([TO]))
    stays = []
    for begin, end in zip(dry, ends):
        wet = (under.index > begin) & (under.index < end) | ((under.index == end) & (under > 0).values)
        if (under[wet] > 0).any():
            stays.append((end - begin).total_seconds())
    return stays


def streak(flags: pd.Series) -> int:
    runs = (flags != flags.shift()).cumsum()
    return int(flags.groupby(runs).sum().max())


def weekday_seconds(begin, end) -> float:
    """Minutes of Mondays to Fridays, counted one by one."""
    minutes = pd.date_range(begin, end, freq="1min", inclusive="left")
    return float((minutes.day_of_week < 5).sum() * 60)


def groups(frame: pd.DataFrame, key: pd.Series, order: list) -> list:
    parts = {name: part for name, part in frame.groupby(key, dropna=False)}
    parts = {(None if pd.isna(name) else name): part for name, part in parts.items()}
    return [{"key": name, **figures(parts[name])} for name in order if name in parts]


def session(at: pd.Timestamp) -> str:
    works = [8 <= at.tz_convert(place).hour < 17 for place in ("Europe/London", "America/New_York")]
    return {(True, False): "london", (True, True): "overlap", (False, True): "new_york"}.get(tuple(works), "asia")


def statistics(frame: pd.DataFrame) -> dict:
    deepest_r, curve, under = drawdown(frame, "r")
    deepest, _, _ = drawdown(frame, "gain")
    deepest["depth"] = price(round(deepest["depth"]))
    stays = under_water(under)
    on_weekdays = pd.bdate_range(FROM.date(), pd.offsets.BDay().rollforward(TO.date()))
    closed_on = frame.closed.dt.tz_localize(None).dt.normalize().map(pd.offsets.BDay().rollforward)
    daily = frame.r.groupby(closed_on).sum().reindex(on_weekdays, fill_value=0.0)
    year = np.sqrt(252)
    downside = np.sqrt(np.mean(np.square(np.minimum(daily, 0))))
    steps = np.floor(frame.r / 0.5).value_counts().sort_index()
    best, worst = frame.r.idxmax(), frame.r.idxmin()

    def extreme(row):
        it = frame.loc[row]
        return {"number": int(it.number), "closed_at": instant(it.closed), "r": it.r, "gain": price(it.gain)}

    def open_for(rows):
        return {"average_seconds": of(rows.seconds.mean()), "longest_seconds": int(rows.seconds.max())}

    held = sum(weekday_seconds(a, b) for a, b in zip(frame.opened, frame.closed))
    return {
        "from": instant(FROM), "to": instant(TO),
        "total": figures(frame),
        "best": extreme(best), "worst": extreme(worst),
        "distribution": [{"from_r": step / 2, "trades": int(count)} for step, count in steps.items()],
        "longest_wins": streak(frame.gain > 0), "longest_losses": streak(frame.gain < 0),
        "wins_open": open_for(frame[frame.gain > 0]), "losses_open": open_for(frame[frame.gain < 0]),
        "drawdown_r": deepest_r, "drawdown": deepest,
        "longest_under_water_seconds": int(max(stays)), "under_water_seconds": int(sum(stays)),
        "days": len(daily),
        "sharpe": of(daily.mean() / daily.std(ddof=1) * year),
        "sortino": of(daily.mean() / downside * year),
        "calmar": of(daily.mean() * 252 / deepest_r["depth"]),
        "exposure_percent": of(100 * held / weekday_seconds(FROM, TO)),
        "by_exit": groups(frame, frame.exit,
                          [None, "target", "stop", "breakeven", "stagnant", "weak", "cancelled", "expired"]),
        "by_month": groups(frame, frame.closed.dt.strftime("%Y-%m"),
                           sorted(frame.closed.dt.strftime("%Y-%m").unique())),
        "by_strategy": groups(frame, frame.strategy, ["trend", "reversion", "breakout", "momentum"]),
        "by_session": groups(frame, frame.opened.map(session), ["asia", "london", "overlap", "new_york"]),
        "by_weekday": groups(frame, frame.opened.dt.day_name().str[:3],
                             ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]),
        "by_direction": groups(frame, frame.direction, ["buy", "sell"]),
    }, curve


frame = trades(seed=5, count=400)
assert frame.closed.max() < TO, frame.closed.max()
expected, curve = statistics(frame)
document = {
    "trades": [{
        "number": int(it.number), "strategy": it.strategy, "direction": it.direction,
        "opened_at": instant(it.opened), "closed_at": instant(it.closed),
        "entry": price(it.entry), "risk": price(it.risk), "gain": price(it.gain), "exit": None if pd.isna(it.exit) else it.exit,
    } for it in frame.itertuples()],
    "curve_r": [float(r) for r in curve.iloc[1:]],
    "statistics": expected,
}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
print(f"{path}: {len(frame)} trades, {frame.r.sum():.3f} R")
