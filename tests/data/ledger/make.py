#!/usr/bin/env python3
"""A year of subscriptions, and the books a bookkeeper would keep of them.

    python3 tests/data/ledger/make.py

writes `history.jsonl`, what Stripe tells of that year, and `expected.json`, what the
figures must be at several moments. Nothing of the program under test is used. Each life
below tells two things side by side: what Stripe says (`Sub.say`, `Sub.bill`, ...) and
what goes into the books (`Books`), by hand. Amounts are exact fractions; the only
rounding is Python's `round` of a `Fraction` at the end: to the nearest, a half to even.

Definitions are Stripe's: docs.stripe.com/billing/subscriptions/analytics/glossary,
support.stripe.com/questions/billing-analytics, .../calculating-churn-rate-in-billing and
.../calculating-trial-conversion-rate-in-billing.
"""

import json
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from fractions import Fraction as F
from pathlib import Path
from zoneinfo import ZoneInfo

UTC = timezone.utc
HERE = Path(__file__).parent

# name: price in smallest units, currency, interval, count, and what it is in a month, by hand.
PRICES = {
    "eur-m": (4900, "EUR", "month", 1, F(4900)),
    "eur-m-big": (9900, "EUR", "month", 1, F(9900)),
    "eur-q": (12500, "EUR", "month", 3, F(12500, 3)),
    "eur-y": (49900, "EUR", "year", 1, F(49900, 12)),
    "eur-w": (1300, "EUR", "week", 1, F(1300 * 52, 12)),
    "eur-d": (199, "EUR", "day", 1, F(199 * 365, 12)),
    "eur-free": (0, "EUR", "month", 1, F(0)),
    "eur-seat": (700, "EUR", "month", 1, F(700)),
    "eur-used": (3, "EUR", "month", 1, None),
    "usd-m": (5900, "USD", "month", 1, F(5900)),
    "usd-m-big": (11900, "USD", "month", 1, F(11900)),
    "usd-y": (10001, "USD", "year", 1, F(10001, 12)),
    "usd-2w": (1999, "USD", "week", 2, F(1999 * 26, 12)),
    "jpy-m": (5500, "JPY", "month", 1, F(5500)),
    "jpy-y": (50001, "JPY", "year", 1, F(50001, 12)),
    "gbp-30d": (3700, "GBP", "day", 30, F(3700 * 365, 360)),
}
METERED = {"eur-used"}


def day(number, hour=12, minute=0):
    """An instant of 2025, by the day of the year from 0."""
    return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=number, hours=hour, minutes=minute)


def text(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


FACTS = []


class Books:
    """What is written down: who came to what from when to when, and money."""

    def __init__(self):
        self.worth = []  # customer, currency, from, until or None, a month
        self.paid = []  # currency, at, amount, whether an attempt had failed
        self.refunds = []  # currency, at, amount
        self.lost = []  # currency, at, amount
        self.trials = []  # currency, ended at, converted
        self.queue = []  # invoice, subscription, customer, currency, due, [(failed at, attempt, next)], until or None


BOOKS = Books()


class Sub:
    """A subscription at Stripe."""

    count = 0

    def __init__(self, customer, price, start, quantity=1, also=(), **more):
        Sub.count += 1
        self.id, self.customer, self.start = f"sub_{Sub.count:04d}", customer, start
        self.items = [[price, quantity], *([name, 1] for name in also)]
        self.currency = PRICES[price][1]
        self.state = {"start": text(start), **more}
        self.invoices = self.events = self.charges = 0

    def say(self, at, status, **changes):
        """Stripe says how it stands."""
        self.state.update(changes)
        self.events += 1
        # Ids do not sort by time, as Stripe's do not.
        event = f"evt_{(self.events * 2654435761) % 2**32:08x}_{self.id}"
        state = {key: value for key, value in self.state.items() if value is not None}
        FACTS.append({"k": "say", "s": self.id, "c": self.customer, "t": text(at), "e": event, "st": status,
                      "items": [list(item) for item in self.items], **state})

    def worth(self, since, until, amount):
        BOOKS.worth.append((self.customer, self.currency, since, until, F(amount)))

    def invoice(self, at, what, invoice, due, paid, attempts, created, retry=None, tax=0):
        FACTS.append({"k": what, "s": self.id, "c": self.customer, "t": text(at), "id": invoice, "due": due,
                      "paid": paid, "tax": tax, "cur": self.currency, "n": attempts, "made": text(created),
                      "next": text(retry) if retry else None})

    def bill(self, at, amount, failed=(), until=None, settled=None, tax=0):
        """An invoice. `failed`: when attempts failed, with the next attempt. It is paid at `settled`
        (at once if nothing failed); nobody tries to collect it any more from `until` on."""
        self.invoices += 1
        invoice = f"in_{self.id[4:]}_{self.invoices:02d}"
        for number, (when, retry) in enumerate(failed, 1):
            self.invoice(when, "failed", invoice, amount, 0, number, at, retry)
        if not failed:
            settled = at + timedelta(seconds=3)
        if settled:
            self.invoice(settled, "paid", invoice, amount, amount, len(failed) + 1, at, tax=tax)
            BOOKS.paid.append((self.currency, settled, amount, bool(failed)))
        if failed:
            attempts = [(when, number, retry) for number, (when, retry) in enumerate(failed, 1)]
            BOOKS.queue.append((invoice, self.id, self.customer, self.currency, amount, attempts, until or settled))

    def bill_every(self, days, first, last, amount):
        at = first
        while at < last:
            self.bill(at, amount)
            at += timedelta(days=days)

    def refund(self, charged, amount, *totals):
        """What goes back of a charge: (at, total so far)."""
        self.charges += 1
        before = 0
        for at, total in totals:
            FACTS.append({"k": "refund", "s": self.id, "c": self.customer, "t": text(at), "id": f"ch_{self.id[4:]}_{self.charges}",
                          "of": amount, "made": text(charged), "total": total, "cur": self.currency})
            BOOKS.refunds.append((self.currency, at, total - before))
            before = total

    def dispute(self, amount, opened, decided, lost):
        for at, status in [(opened, "opened"), (decided, "lost" if lost else "won")]:
            FACTS.append({"k": "dispute", "s": self.id, "c": self.customer, "t": text(at), "id": f"dp_{self.id[4:]}",
                          "amount": amount, "cur": self.currency, "st": status})
        if lost:
            BOOKS.lost.append((self.currency, decided, amount))


MONTH = 30  # Invoices come every so many days; the calendar does not matter to any figure.
YEAR_END = day(365)


def opened(sub, at, slow=0):
    """The first payment goes through, at once or after some seconds; returns since when it counts."""
    sub.say(at, "incomplete")
    sub.say(at + timedelta(seconds=slow), "active")
    return at + timedelta(seconds=slow)


def lives():
    n = 0

    def who():
        nonlocal n
        n += 1
        return f"cus_{n:04d}"

    # 1. They pay every month and stay; a few with tax in the invoice.
    for i in range(24):
        price, amount = [("eur-m", 4900), ("usd-m", 5900), ("jpy-m", 5500)][i % 3]
        start = day(7 * i, hour=(5 * i) % 24, minute=30)
        sub = Sub(who(), price, start)
        sub.worth(opened(sub, start, slow=i % 4), None, amount)
        sub.bill(start, amount + (931 if i % 5 == 0 else 0), tax=931 if i % 5 == 0 else 0)
        sub.bill_every(MONTH, start + timedelta(days=MONTH), YEAR_END, amount)

    # 2. They go to the bigger plan, and some of them back to the smaller.
    for i in range(20):
        small, big, low, high = [("eur-m", "eur-m-big", 4900, 9900), ("usd-m", "usd-m-big", 5900, 11900)][i % 2]
        start, up, down = day(9 * i, hour=i), day(9 * i + 45, hour=23, minute=i), day(9 * i + 110, hour=1, minute=i)
        sub = Sub(who(), small, start)
        since = opened(sub, start)
        sub.items = [[big, 1]]
        sub.say(up, "active")
        sub.worth(since, up, low)
        if i % 2 or i % 3 == 0:
            sub.items = [[small, 1]]
            sub.say(down, "active")
            sub.worth(up, down, high)
            sub.worth(down, None, low)
        else:
            sub.worth(up, None, high)
        sub.bill_every(MONTH, start, start + timedelta(days=60), low)

    # 3. Coupons: for ever (percent and amount), and once, which is no matter of MRR.
    for i in range(16):
        start = day(11 * i + 3, hour=22, minute=45)
        if i % 4 == 0:  # A quarter off, for ever.
            sub = Sub(who(), "eur-m", start, off=[{"percent": 2500}])
            sub.worth(opened(sub, start), None, 3675)
            sub.bill(start, 3675)
        elif i % 4 == 1:  # 5.00 off each yearly invoice, for ever.
            sub = Sub(who(), "eur-y", start, off=[{"amount": [500, "EUR"]}])
            sub.worth(opened(sub, start), None, F(49400, 12))
            sub.bill(start, 49400)
        elif i % 4 == 2:  # 10.00 off once: the invoice is less, MRR is not.
            sub = Sub(who(), "usd-m", start)
            sub.worth(opened(sub, start), None, 5900)
            sub.bill(start, 4900)
            sub.bill(start + timedelta(days=MONTH), 5900)
        else:  # An eighth off for ever, taken away later: that is expansion.
            sub = Sub(who(), "usd-y", start, off=[{"percent": 1250}])
            since, later = opened(sub, start), start + timedelta(days=70)
            sub.say(later, "active", off=None)
            sub.worth(since, later, F(10001, 12) * F(7, 8))
            sub.worth(later, None, F(10001, 12))
            sub.bill(start, 8751)

    # 4. Other intervals.
    for i in range(24):
        price, amount, days = [("eur-y", 49900, 365), ("eur-q", 12500, 91), ("eur-w", 1300, 7), ("usd-2w", 1999, 14),
                               ("jpy-y", 50001, 365), ("gbp-30d", 3700, 30), ("usd-y", 10001, 365), ("eur-d", 199, 1)][i % 8]
        start = day(8 * i + 1, hour=(7 * i) % 24)
        sub = Sub(who(), price, start)
        sub.bill_every(days, start, min(YEAR_END, start + timedelta(days=8 * days)), amount)
        since, end = opened(sub, start, slow=i % 2), start + timedelta(days=8 * days)
        if days in (1, 7, 14):
            sub.say(end, "canceled", ended=text(end), canceled=text(end))
            sub.worth(since, end, PRICES[price][4])
        else:
            sub.worth(since, None, PRICES[price][4])

    # 5. Seats: three, then five, then two.
    for i in range(8):
        start, more, less = day(13 * i + 2), day(13 * i + 80), day(13 * i + 160)
        sub = Sub(who(), "eur-seat", start, quantity=3)
        since = opened(sub, start)
        sub.items = [["eur-seat", 5]]
        sub.say(more, "active")
        sub.items = [["eur-seat", 2]]
        sub.say(less, "active")
        for (a, b, seats) in [(since, more, 3), (more, less, 5), (less, None, 2)]:
            sub.worth(a, b, 700 * seats)
        sub.bill(start, 2100)

    # 6. What was used does not count, beside a plan or alone; nor does what is free.
    for i in range(9):
        start = day(17 * i + 5, hour=3)
        if i % 3 == 0:
            sub = Sub(who(), "eur-m", start, also=["eur-used"])
            sub.worth(opened(sub, start), None, 4900)
            sub.bill(start, 4900 + 37 * i)
        elif i % 3 == 1:
            sub = Sub(who(), "eur-used", start)
            opened(sub, start)
            sub.bill(start + timedelta(days=MONTH), 61 * i)
        else:
            sub = Sub(who(), "eur-free", start)
            opened(sub, start)

    # 7. Trials of 14 days.
    for i in range(27):
        price, amount = [("eur-m", 4900), ("usd-m", 5900), ("jpy-m", 5500)][i % 3]
        start = day(12 * i + 4, hour=20)
        over = start + timedelta(days=14)
        sub = Sub(who(), price, start, trial=text(over))
        sub.say(start, "trialing")
        if i % 9 in (0, 1, 2, 3, 8):  # Paid for; Stripe tells a little after it.
            sub.say(over + timedelta(seconds=7), "active")
            sub.worth(over, None, amount)
            sub.bill(over, amount)
            BOOKS.trials.append((sub.currency, over, True))
        elif i % 9 in (4, 5):  # Cancelled on the sixth day.
            end = start + timedelta(days=6)
            sub.say(end, "canceled", ended=text(end), canceled=text(end))
            BOOKS.trials.append((sub.currency, end, False))
        elif i % 9 == 6:  # Not paid for: it counts while it is late, and then is lost.
            stop = over + timedelta(days=21)
            sub.say(over + timedelta(seconds=2), "past_due")
            sub.say(stop, "unpaid")
            sub.worth(over, stop, amount)
            tries = [(over + timedelta(hours=1), over + timedelta(days=5)), (over + timedelta(days=5), None)]
            sub.bill(over, amount, failed=tries, until=stop)
            BOOKS.trials.append((sub.currency, stop, False))
        else:  # Paid for on the second attempt: converted when it was.
            paid = over + timedelta(days=4)
            sub.say(over + timedelta(seconds=2), "past_due")
            sub.say(paid, "active")
            sub.worth(over, None, amount)
            sub.bill(over, amount, failed=[(over + timedelta(hours=1), paid)], settled=paid)
            BOOKS.trials.append((sub.currency, paid, True))

    # 8. They cancel: at the end of the period, and at once; some change their mind.
    for i in range(28):
        price, amount = [("eur-m", 4900), ("usd-m-big", 11900), ("jpy-m", 5500), ("gbp-30d", 3700)][i % 4]
        start = day(6 * i, hour=(11 * i) % 24, minute=15)
        decided, end = start + timedelta(days=40), start + timedelta(days=60)
        sub = Sub(who(), price, start, period=[text(start), text(end)])
        since = opened(sub, start, slow=i % 3)
        monthly = PRICES[price][4]
        sub.bill_every(MONTH, start, end, amount)
        if i % 7 in (0, 1, 2):  # At the end of the period.
            sub.say(decided, "active", stops=True, canceled=text(decided))
            sub.say(end, "canceled", ended=text(end))
            sub.worth(since, end, monthly)
        elif i % 7 == 3:  # At the end of the period, of which Stripe's news never comes.
            sub.say(decided, "active", stops=True, canceled=text(decided))
            sub.worth(since, end, monthly)
        elif i % 7 == 4:  # They stay after all.
            sub.say(decided, "active", stops=True, canceled=text(decided))
            sub.say(decided + timedelta(days=3), "active", stops=None, canceled=None)
            sub.worth(since, None, monthly)
        else:  # At once.
            sub.say(decided, "canceled", ended=text(decided), canceled=text(decided))
            sub.worth(since, decided, monthly)

    # 9. They come back: with another subscription, after weeks, at another price.
    for i in range(12):
        customer, start = who(), day(10 * i + 1, hour=4)
        gone, again = start + timedelta(days=50, hours=9), start + timedelta(days=85, minutes=5)
        first = Sub(customer, "eur-m", start)
        since = opened(first, start)
        first.say(gone, "canceled", ended=text(gone), canceled=text(gone))
        first.worth(since, gone, 4900)
        first.bill(start, 4900)
        second = Sub(customer, "eur-m-big" if i % 2 else "eur-q", again)
        since = opened(second, again, slow=1)
        second.bill(again, 9900 if i % 2 else 12500)
        if i % 3 == 0:  # And go again: a second churn.
            end = again + timedelta(days=20)
            second.say(end, "canceled", ended=text(end), canceled=text(end))
            second.worth(since, end, PRICES[second.items[0][0]][4])
        else:
            second.worth(since, None, PRICES[second.items[0][0]][4])

    # 10. Two at once: the second is expansion, its end contraction, the end of both churn.
    for i in range(8):
        customer, start = who(), day(14 * i + 6, hour=13)
        one, two = Sub(customer, "usd-m", start), Sub(customer, "usd-y", start + timedelta(days=20))
        a, b = opened(one, start), opened(two, start + timedelta(days=20))
        end = start + timedelta(days=90)
        two.say(end, "canceled", ended=text(end), canceled=text(end))
        two.worth(b, end, F(10001, 12))
        one.bill(start, 5900)
        two.bill(start + timedelta(days=20), 10001)
        if i % 2:
            last = end + timedelta(days=15)
            one.say(last, "canceled", ended=text(last), canceled=text(last))
            one.worth(a, last, 5900)
        else:
            one.worth(a, None, 5900)

    # 11. One takes the place of another in the same second: neither churn nor new.
    for i in range(6):
        customer, start = who(), day(19 * i + 9, hour=6)
        swap = start + timedelta(days=33)
        old, new = Sub(customer, "eur-m", start), Sub(customer, "eur-y" if i % 2 else "eur-m-big", swap)
        since = opened(old, start)
        old.say(swap, "canceled", ended=text(swap), canceled=text(swap))
        old.worth(since, swap, 4900)
        new.worth(opened(new, swap), None, PRICES[new.items[0][0]][4])
        old.bill(start, 4900)

    # 12. Another currency: churn in one, new in the other; and back again, which is a reactivation.
    for i in range(8):
        customer, start = who(), day(16 * i + 3, hour=18)
        swap, back = start + timedelta(days=41), start + timedelta(days=99)
        one, two = Sub(customer, "eur-m", start), Sub(customer, "usd-m", swap)
        a, b = opened(one, start), opened(two, swap)
        one.say(swap, "canceled", ended=text(swap), canceled=text(swap))
        one.worth(a, swap, 4900)
        one.bill(start, 4900)
        two.bill(swap, 5900)
        if i % 2:
            two.say(back, "canceled", ended=text(back), canceled=text(back))
            two.worth(b, back, 5900)
            three = Sub(customer, "eur-m-big", back)
            three.worth(opened(three, back), None, 9900)
            three.bill(back, 9900)
        else:
            two.worth(b, None, 5900)

    # 13. A payment is late: recovered after one attempt or three, given up, or still open.
    for i in range(32):
        price, amount = [("eur-m", 4900), ("usd-m", 5900), ("jpy-m", 5500), ("gbp-30d", 3700)][i % 4]
        start = day(9 * i + 2, hour=(3 * i) % 24, minute=50)
        due = start + timedelta(days=30)
        sub = Sub(who(), price, start)
        since, monthly = opened(sub, start), PRICES[price][4]
        sub.bill(start, amount)
        tries = [due + timedelta(hours=1), due + timedelta(days=3), due + timedelta(days=8)]
        sub.say(due + timedelta(hours=1), "past_due")
        kind = (i // 4) % 8
        if kind in (0, 1):  # Recovered on the second attempt.
            sub.bill(due, amount, failed=[(tries[0], tries[1])], settled=tries[1])
            sub.say(tries[1], "active")
            sub.worth(since, None, monthly)
        elif kind in (2, 3):  # On the fourth.
            paid = due + timedelta(days=15)
            sub.bill(due, amount, failed=[(tries[0], tries[1]), (tries[1], tries[2]), (tries[2], paid)], settled=paid)
            sub.say(paid, "active")
            sub.worth(since, None, monthly)
        elif kind == 4:  # Never: unpaid.
            stop = due + timedelta(days=15)
            sub.bill(due, amount, failed=[(tries[0], tries[1]), (tries[1], tries[2]), (tries[2], None)], until=stop)
            sub.say(stop, "unpaid")
            sub.worth(since, stop, monthly)
        elif kind == 5:  # Unpaid, and paid in the end: reactivated and recovered.
            stop, paid = due + timedelta(days=15), due + timedelta(days=47, minutes=11)
            sub.bill(due, amount, failed=[(tries[0], tries[1]), (tries[1], tries[2]), (tries[2], None)], settled=paid, until=stop)
            sub.say(stop, "unpaid")
            sub.say(paid, "active")
            sub.worth(since, stop, monthly)
            sub.worth(paid, None, monthly)
        elif kind == 6:  # Cancelled by Stripe after the last attempt.
            stop = due + timedelta(days=15)
            sub.bill(due, amount, failed=[(tries[0], tries[1]), (tries[1], None)], until=stop)
            sub.say(stop, "canceled", ended=text(stop), canceled=text(stop))
            sub.worth(since, stop, monthly)
        else:  # Still tried.
            sub.bill(due, amount, failed=[(tries[0], tries[1]), (tries[1], tries[2]), (tries[2], tries[2] + timedelta(days=400))])
            sub.worth(since, None, monthly)

    # 14. Money goes back: a part, a part and the rest in another month, all; and disputes.
    for i in range(18):
        price, amount = [("eur-m", 4900), ("usd-m", 5900), ("jpy-m", 5500)][i % 3]
        start = day(10 * i + 8, hour=23, minute=59)
        sub = Sub(who(), price, start)
        sub.worth(opened(sub, start), None, amount)
        sub.bill(start, amount)
        kind = i % 6
        if kind == 0:
            sub.refund(start, amount, (start + timedelta(days=2), 1000))
        elif kind == 1:
            sub.refund(start, amount, (start + timedelta(days=2), 1234), (start + timedelta(days=37), 2000), (start + timedelta(days=66), amount))
        elif kind == 2:
            sub.refund(start, amount, (start + timedelta(days=5), amount))
        elif kind == 3:
            sub.dispute(amount, start + timedelta(days=10), start + timedelta(days=52), lost=True)
        elif kind == 4:
            sub.dispute(amount, start + timedelta(days=10), start + timedelta(days=52), lost=False)
        else:
            sub.refund(start, amount, (start + timedelta(days=1), 999), (start + timedelta(days=1, seconds=5), 1999))

    return n


# The books, read.

KINDS = ["new", "reactivation", "expansion", "contraction", "churn"]


def movements():
    """Every change of what a customer comes to in a currency: (currency, at, kind, by)."""
    changes = defaultdict(lambda: defaultdict(F))
    for customer, currency, since, until, amount in BOOKS.worth:
        changes[customer, currency][since] += amount
        if until:
            changes[customer, currency][until] -= amount
    moves = []
    for (_, currency), by_time in changes.items():
        worth, ever = F(0), False
        for at in sorted(by_time):
            by = by_time[at]
            if by == 0:
                continue
            if worth == 0:
                kind = "reactivation" if ever else "new"
            elif worth + by == 0:
                kind = "churn"
            else:
                kind = "expansion" if by > 0 else "contraction"
            moves.append((currency, at, kind, by))
            worth, ever = worth + by, True
            assert worth >= 0
    return moves


def month_starts(at, zone, count=12):
    """The first instants of the last `count` months of a zone, and of the one after."""
    local = at.astimezone(zone)
    last = local.year * 12 + local.month - 1
    first_of = lambda number: datetime(number // 12, number % 12 + 1, 1, tzinfo=zone).astimezone(UTC)
    return [(f"{n // 12:04d}-{n % 12 + 1:02d}", first_of(n), first_of(n + 1)) for n in range(last - count + 1, last + 1)]


def ratio(above, below):
    return float(F(above) / F(below)) if below else None


def figures(moves, at, zone):
    began = at - timedelta(days=30)
    currencies = {}
    for currency in sorted({price[1] for price in PRICES.values()}):
        mine = [move for move in moves if move[0] == currency and move[1] <= at]
        worth = lambda until: sum((by for _, when, _, by in mine if when < until), F(0))
        mrr = sum((by for *_, by in mine), F(0))
        mrr_then = sum((by for _, when, _, by in mine if when <= began), F(0))
        heads = lambda some: sum({"new": 1, "reactivation": 1, "churn": -1}.get(kind, 0) for _, _, kind, _ in some)
        then = [move for move in mine if move[1] <= began]
        since = [move for move in mine if move[1] > began]
        count = lambda some, *kinds: sum(1 for move in some if move[2] in kinds)
        total = lambda some, *kinds: sum((move[3] for move in some if move[2] in kinds), F(0))
        active, churned = heads(mine), count(since, "churn")
        joined = count(since, "new", "reactivation")
        trials = [won for cur, when, won in BOOKS.trials if cur == currency and began < when <= at]
        queue = [due for *_, due in open_invoices(at, currency)]
        base = heads(then) + joined
        months = []
        for name, start, end in month_starts(at, zone):
            inside = [move for move in mine if start <= move[1] < end]
            during = lambda rows: [row for row in rows if row[0] == currency and start <= row[1] < end and row[1] <= at]
            amounts = [round(total(inside, kind)) for kind in KINDS]
            first, last = round(worth(start)), round(worth(start) + total(inside, *KINDS))
            months.append({
                "month": name, "start_minor": first, **{f"{kind}_minor": amount for kind, amount in zip(KINDS, amounts)},
                "rounding_minor": last - first - sum(amounts), "end_minor": last,
                "new_subscribers": count(inside, "new"), "reactivated_subscribers": count(inside, "reactivation"),
                "churned_subscribers": count(inside, "churn"),
                "paid_minor": sum(row[2] for row in during(BOOKS.paid)),
                "recovered_minor": sum(row[2] for row in during(BOOKS.paid) if row[3]),
                "refunded_minor": sum(row[2] for row in during(BOOKS.refunds)),
                "disputes_lost_minor": sum(row[2] for row in during(BOOKS.lost)),
            })
        currencies[currency] = {
            "currency": currency, "mrr_minor": round(mrr), "arr_minor": round(12 * mrr), "active_subscribers": active,
            "arpu_minor": round(mrr / active) if active else None,
            "ltv_minor": round(mrr / active / F(churned, base)) if active and churned else None,
            "subscriber_churn": {"rate": ratio(churned, base), "churned": churned, "active_at_start": heads(then), "joined": joined},
            "mrr_churn": {"mrr_at_start_minor": round(mrr_then),
                          "gross_rate": ratio(-total(since, "churn", "contraction"), mrr_then),
                          "net_rate": ratio(-total(since, "churn", "contraction", "expansion", "reactivation"), mrr_then)},
            "trial_conversion": {"rate": ratio(sum(trials), len(trials)), "converted": sum(trials), "lost": len(trials) - sum(trials)},
            "failed_payments": {"invoices": len(queue), "due_minor": sum(queue)},
            "months": months,
        }
    return currencies


def open_invoices(at, currency=None):
    """What somebody still tries to collect, those that have been open longest first."""
    found = []
    for invoice, sub, customer, cur, due, attempts, until in BOOKS.queue:
        known = [attempt for attempt in attempts if attempt[0] <= at]
        if known and (until is None or until > at) and currency in (None, cur):
            found.append((known[0][0], invoice, sub, customer, cur, known[-1], due))
    return sorted(found, key=lambda row: (row[0], row[1]))


def queue(at):
    return [{"invoice": invoice, "subscription": sub, "customer": customer, "currency": cur, "due_minor": due, "attempts": number,
             "since": text(since), "failed_at": text(failed), "next_attempt_at": text(retry) if retry else None}
            for since, invoice, sub, customer, cur, (failed, number, retry), due in open_invoices(at)]


MOMENTS = [
    ("2025-02-14T09:30:00Z", "UTC"),
    # A second before midnight in Berlin, and midnight.
    ("2025-03-31T21:59:59Z", "Europe/Berlin"),
    # Many payments are late.
    ("2025-11-19T12:00:00Z", "UTC"),
    ("2025-06-30T22:00:00Z", "Europe/Berlin"),
    # The clocks went back in between.
    ("2025-11-02T06:30:00Z", "America/New_York"),
    ("2025-08-31T15:00:00Z", "Asia/Tokyo"),
    ("2025-09-01T00:00:00Z", "UTC"),
    ("2025-12-31T23:59:59Z", "UTC"),
    ("2026-05-31T10:15:00Z", "Pacific/Auckland"),
]


def main():
    customers = lives()
    FACTS.sort(key=lambda fact: fact["t"])
    moves = movements()
    moments = [datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) for at, _ in MOMENTS]
    expected = {
        "subscriptions": Sub.count,
        "customers": customers,
        "moments": [{"at": text(at), "time_zone": zone, "currencies": figures(moves, at, ZoneInfo(zone)), "failed_payments": queue(at)}
                    for at, (_, zone) in zip(moments, MOMENTS)],
    }
    prices = {name: {"minor": price[0], "currency": price[1], "interval": price[2], "count": price[3], "metered": name in METERED}
              for name, price in PRICES.items()}
    with open(HERE / "history.jsonl", "w") as file:
        print(json.dumps({"k": "prices", "prices": prices}, separators=(",", ":")), file=file)
        for fact in FACTS:
            print(json.dumps({key: value for key, value in fact.items() if value is not None}, separators=(",", ":")), file=file)
    with open(HERE / "expected.json", "w") as file:
        json.dump(expected, file, indent=1)
        file.write("\n")
    print(f"{Sub.count} subscriptions of {customers} customers, {len(FACTS)} facts, {len(moves)} movements")


if __name__ == "__main__":
    main()
