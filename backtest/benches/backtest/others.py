"""What TA-Lib and backtesting.py need for the candles in a file: JSON in the last line.

    python others.py candles.f64 100000

The file has open, high, low and close of each minute as doubles. backtesting.py is shown as
many candles as the second argument says.
"""

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
import talib
from backtesting import Backtest, Strategy
from backtesting.lib import crossover

warnings.filterwarnings("ignore")
prices = np.fromfile(sys.argv[1]).reshape(-1, 4)
fewer = int(sys.argv[2])
open_, high, low, close = (np.ascontiguousarray(prices[:, n]) for n in range(4))


def best(work, rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


functions = {
    "RSI": lambda: talib.RSI(close, 14),
    "EMA": lambda: talib.EMA(close, 21),
    "SMA": lambda: talib.SMA(close, 50),
    "MACD": lambda: talib.MACD(close, 12, 26, 9),
    "ATR": lambda: talib.ATR(high, low, close, 14),
    "ADX": lambda: talib.ADX(high, low, close, 14),
    "BBANDS": lambda: talib.BBANDS(close, 20, 2.0, 2.0),
    "STOCH": lambda: talib.STOCH(high, low, close, 14, 3, 0, 3, 0),
}


class Cross(Strategy):
    """Goes with two averages that cross, with a stop and a target, a position at a time."""

    def init(self):
        self.fast = self.I(talib.EMA, self.data.Close, 9)
        self.slow = self.I(talib.EMA, self.data.Close, 21)
        self.range = self.I(talib.ATR, self.data.High, self.data.Low, self.data.Close, 14)

    def next(self):
        if self.position:
            return
        price, far = self.data.Close[-1], self.range[-1]
        if crossover(self.fast, self.slow):
            self.buy(size=1, sl=price - 1.5 * far, tp=price + 3 * far)
        elif crossover(self.slow, self.fast):
            self.sell(size=1, sl=price + 1.5 * far, tp=price - 3 * far)


frame = pd.DataFrame(
    prices[:fewer], columns=["Open", "High", "Low", "Close"],
    index=pd.date_range("2022-01-02 23:00", periods=fewer, freq="1min"),
)
test = Backtest(frame, Cross, cash=1e9, trade_on_close=True)
results = test.run()
print(json.dumps({
    "talib": {name: best(work, 5) * 1e9 / len(close) for name, work in functions.items()},
    # The run alone, without the figures that it computes afterwards being kept.
    "cross": fewer / best(test.run, 2),
    "trades": int(results["# Trades"]),
}))
