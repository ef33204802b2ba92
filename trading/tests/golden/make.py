"""Makes the golden files of this folder: candles, and TA-Lib's values for them.

    python -m venv /tmp/talib && /tmp/talib/bin/pip install TA-Lib==0.8.2 numpy
    /tmp/talib/bin/python make.py [folder of the real candles]

synthetic.csv      seeded candles with trends, ranges, shocks and gaps, and every value for every one
<name>.csv         of each file of real candles: values at some of its rows, counted from 0, not the candles

Values are written with 13 digits. An empty field: TA-Lib has no value there yet.
"""

import csv
import pathlib
import sys

import numpy
import talib

HERE = pathlib.Path(__file__).parent
BARS = 1_000
ROWS = 120


def synthetic():
    """A price in dollars and cents that trends, ranges, jumps, stands still and slides."""
    random = numpy.random.default_rng(20_240_229)
    phases = [(0.25, 0.8), (0.0, 0.5), (-0.4, 1.2), (0.0, 0.0), (0.1, 3.0), (0.0, 0.2), (-0.05, 0.9), (0.6, 0.6)]
    open_, high, low, close = (numpy.empty(BARS) for _ in range(4))
    price, centre = 2_030.0, None
    for bar in range(BARS):
        drift, width = phases[bar * len(phases) // BARS]
        centre = price if bar % (BARS // len(phases)) == 0 else centre
        if bar % 97 == 96:
            price += random.normal(0.0, 12.0)
        if drift == 0.0:
            drift = 0.05 * (centre - price) if width else 0.0
        open_[bar] = price
        path = price + numpy.cumsum(numpy.append(0.0, random.normal(drift / 8, width / 2.8, 8)))
        high[bar], low[bar], price = path.max(), path.min(), path[-1]
        close[bar] = price
        price += random.normal(0.0, 0.05 * width)
    return [numpy.round(column, 2) for column in (open_, high, low, close)]


def real(path):
    """Open, high, low and close of a file, whatever its dialect."""
    text = path.read_text()
    delimiter = "\t" if "\t" in text[:200] else ","
    rows = csv.reader(text.splitlines(), delimiter=delimiter)
    names = [name.strip("<>").lower() for name in next(rows)]
    first = names.index("open")
    table = numpy.array([[float(field) for field in row[first : first + 4]] for row in rows if row])
    return [numpy.ascontiguousarray(table[:, column]) for column in range(4)]


def values(high, low, close):
    """By the names that the test knows."""
    out = {
        "sma20": talib.SMA(close, 20),
        "ema20": talib.EMA(close, 20),
        "ema50": talib.EMA(close, 50),
        "rsi14": talib.RSI(close, 14),
        "atr14": talib.ATR(high, low, close, 14),
        "adx14": talib.ADX(high, low, close, 14),
        "plus14": talib.PLUS_DI(high, low, close, 14),
        "minus14": talib.MINUS_DI(high, low, close, 14),
        "ema200": talib.EMA(close, 200),
        "rsi2": talib.RSI(close, 2),
        "atr50": talib.ATR(high, low, close, 50),
        "adx5": talib.ADX(high, low, close, 5),
        "macd_signal_5_35_5": talib.MACD(close, 5, 35, 5)[1],
        "upper50": talib.BBANDS(close, 50, 1.5, 1.5, 0)[0],
        "d5": talib.STOCH(high, low, close, 5, 2, 0, 4, 0)[1],
    }
    out["macd"], out["macd_signal"], out["macd_histogram"] = talib.MACD(close, 12, 26, 9)
    out["upper"], out["middle"], out["lower"] = talib.BBANDS(close, 20, 2.0, 2.0, 0)
    out["k"], out["d"] = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    out["highest20"], out["lowest20"] = talib.MAX(high, 20), talib.MIN(low, 20)
    return out


def write(name, columns, rows):
    with open(HERE / name, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            fields = [columns[column][row] for column in columns]
            writer.writerow(["" if numpy.isnan(field) else f"{field:.13g}" for field in fields])


def main():
    open_, high, low, close = synthetic()
    candles = {"open": open_, "high": high, "low": low, "close": close}
    write("synthetic.csv", candles | values(high, low, close), range(BARS))
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.csv")) if len(sys.argv) > 1 else []:
        _, high, low, close = real(path)
        bars = len(close)
        # The first ones, where seeds show, and the rest spread up to the last one.
        rows = sorted(set(range(12, 60)) | {int(row) for row in numpy.linspace(60, bars - 1, ROWS - 48)})
        write(path.name, {"row": numpy.arange(bars)} | values(high, low, close), rows)


if __name__ == "__main__":
    main()
