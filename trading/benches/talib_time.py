"""TA-Lib's own time: reads high, low and close as little-endian doubles, one column after
the other, from standard input; writes the name and nanoseconds a bar of each indicator.
Processor time of the fastest of some runs, with the arrays that TA-Lib makes for its values."""

import sys
import time

import numpy
import talib

data = numpy.frombuffer(sys.stdin.buffer.read(), dtype="<f8").reshape(3, -1)
high, low, close = (numpy.ascontiguousarray(column) for column in data)
CALLS = {
    "SMA 20": lambda: talib.SMA(close, 20),
    "EMA 20": lambda: talib.EMA(close, 20),
    "RSI 14": lambda: talib.RSI(close, 14),
    "ATR 14": lambda: talib.ATR(high, low, close, 14),
    "ADX 14, +DI, -DI": lambda: (
        talib.ADX(high, low, close, 14),
        talib.PLUS_DI(high, low, close, 14),
        talib.MINUS_DI(high, low, close, 14),
    ),
    "MACD 12 26 9": lambda: talib.MACD(close, 12, 26, 9),
    "Bollinger 20 2": lambda: talib.BBANDS(close, 20, 2.0, 2.0, 0),
    "Stochastic 14 3 3": lambda: talib.STOCH(high, low, close, 14, 3, 0, 3, 0),
    "Donchian 20": lambda: (talib.MAX(high, 20), talib.MIN(low, 20)),
}
for name, call in CALLS.items():
    took = []
    for _ in range(15):
        started = time.thread_time_ns()
        call()
        took.append(time.thread_time_ns() - started)
    print(f"{name}\t{min(took) / len(close)}")
