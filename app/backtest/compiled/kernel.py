"""The bot and its exchange on bars, for one symbol, in integers. Compiled.

It takes the same steps in the same order as the matching engine and the coordinators do, when nothing takes time:

1. A bar meets what works: an exit or an entry at its open or its limit, then the stop, then the take-profit, then a
   liquidation. What the bot does about a fill it does before the bar itself, at the mark of the bar before.
2. The bar becomes the mark; guards look; an exit that is not done goes out again; the strategy is asked.
3. Funding that settled within the bar is paid, and the strategy is asked if that is what it listens to.

Limits and guards are not worked here: a bound that is never too wide tells when one *might* bind, and the kernel then
stops with a status instead of going on. So it does when more happens within one bar than it knows the order of.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from app.backtest.compiled.arithmetic import at_most, floor_below, scaled, sign
from app.backtest.compiled.records import (
    AFTER_BAR,
    AMOUNT_MAX,
    AVAILABLE,
    BY_NOTIONAL,
    CLOSE,
    DONE,
    ENTANGLED,
    EQUITY,
    FILL_BAR,
    FILL_FEE,
    FILL_KIND,
    FILL_LOTS,
    FILL_PRICE,
    FILLS_BEFORE,
    FIXED,
    HELD,
    HIGH,
    LEAVE,
    LIMIT,
    LIMIT_NEAR,
    LIQUIDATION,
    LIQUIDATION_NEAR,
    LOW,
    MAKER,
    MILLION,
    NONE,
    OPEN,
    OVERFLOW,
    RATE,
    RECEIVED,
    SETTLED_LOTS,
    SETTLES,
    SIDE,
    STOP,
    TAKE_PROFIT,
    TAKER,
    TIME,
    WILD,
    State,
    Terms,
)

Integers = NDArray[np.int64]
DAY_NS = 86_400 * 1_000_000_000


# -- the account ---------------------------------------------------------------------------------------------------


@njit(cache=True)
def equity_at(s: State, t: Terms, mark: int) -> int:
    """Return the balance and the unrealized profit at ``mark``."""
    return s.balance + s.lots * mark * t.unit - s.cost


@njit(cache=True)
def fill(s: State, t: Terms, bar: int, lots: int, price: int, fee: int, kind: int, order: int, fills: Integers) -> None:
    """Apply a fill of ``lots`` (signed) to the books, as a position does, and count losses in a row."""
    held, realized = s.lots, 0
    if held == 0 or (held > 0) == (lots > 0):
        s.cost += lots * price * t.unit
    else:
        released = s.cost if lots == -held else scaled(s.cost, abs(lots), abs(held))
        realized = -lots * price * t.unit - released
        s.cost -= released
    s.lots = held + lots
    s.realized += realized
    s.fees += fee
    s.balance += realized - fee
    if s.fills < len(fills):
        row = fills[s.fills]
        row[FILL_BAR], row[FILL_LOTS], row[FILL_PRICE], row[FILL_FEE], row[FILL_KIND] = bar, lots, price, fee, kind
    s.fills += 1
    if abs(s.balance) > AMOUNT_MAX:
        s.status = OVERFLOW
    if realized != 0:
        if order == NONE or order != s.losing_order:
            s.losing_order, s.losing_result, s.losses_before = order, 0, s.losses
        s.losing_result += realized - fee
        s.losses = s.losses_before + 1 if s.losing_result < 0 else 0
        if 0 <= t.losses_max <= s.losses:
            s.status = LIMIT_NEAR


@njit(cache=True)
def fee_of(t: Terms, lots: int, price: int, rate: int) -> int:
    """Return the fee of a fill."""
    return scaled(abs(lots) * price * t.unit, rate, t.rate_scale)


@njit(cache=True)
def look(s: State, t: Terms, mark: int, now: int) -> None:
    """Say so when a guard might have something to say."""
    equity = equity_at(s, t, mark)
    day = now // DAY_NS
    if day != s.day:
        # The new day begins with one of the equities of the old one: whichever it is, the highest is no lower.
        s.day_high_before = equity if s.day == 0 else s.day_high
        s.day, s.day_high, s.paid = day, equity, 0
        s.day_floor = floor_below(max(s.day_high_before, equity), t.day_keeps)
    elif equity > s.day_high:
        s.day_high = equity
        s.day_floor = floor_below(max(s.day_high_before, equity), t.day_keeps)
    if equity > s.peak:
        s.peak, s.peak_floor = equity, floor_below(equity, t.peak_keeps)
    if equity < s.day_floor or equity < s.peak_floor:
        s.status = LIMIT_NEAR
    if s.lots != 0:
        value = abs(s.lots) * mark * t.unit
        if t.buffer >= 0 and is_near_liquidation(t, equity, value, t.buffer):
            s.status = LIMIT_NEAR
        if t.margin >= 0 and at_most(value, t.maintenance) > equity // MILLION * t.margin:
            s.status = LIMIT_NEAR
    if t.funding_cost >= 0 and s.paid > 0 and s.paid > equity // MILLION * t.funding_cost:
        s.status = LIMIT_NEAR


@njit(cache=True)
def is_near_liquidation(t: Terms, equity: int, value: int, distance: int) -> bool:
    """Whether a move by ``distance`` against a position of ``value`` might leave less than its maintenance margin."""
    loss = at_most(value, distance)
    return equity - loss <= at_most(value + loss, t.maintenance)


# -- orders --------------------------------------------------------------------------------------------------------


@njit(cache=True)
def taker_price(t: Terms, lots: int, best: int) -> int:
    """Return what a taker pays or gets around ``best``: half a spread and the slippage worse, to the tick."""
    if lots > 0:
        return -(-(best + t.half_spread) * (t.slippage_scale + t.slippage) // t.slippage_scale)
    return max(1, max(1, best - t.half_spread) * (t.slippage_scale - t.slippage) // t.slippage_scale)


@njit(cache=True)
def might_be_denied(s: State, t: Terms, lots: int, mark: int, now: int) -> bool:
    """Whether any check of an entry, the bot's or the exchange's, might say no at ``mark``."""
    size, equity = abs(lots), equity_at(s, t, mark)
    price = s.limit if s.limit > 0 else mark
    value, held = size * price * t.unit, abs(s.lots) * mark * t.unit
    own = (size + abs(s.lots)) * mark * t.unit
    if not t.lots_min <= size <= t.order_lots_max or size + abs(s.lots) > t.lots_max or value < t.notional_min:
        return True
    if value > t.order_notional_max or own > t.position_notional_max or equity <= 0:
        return True
    if t.exposure >= 0 and own > equity // MILLION * t.exposure:
        return True
    if scaled(value + held, t.leverage_scale, t.leverage) + 2 > equity:
        return True
    if t.liquidation_distance >= 0 and is_near_liquidation(t, equity, own, t.liquidation_distance):
        return True
    if t.collar >= 0 and s.limit > 0 and abs(s.limit - mark) * MILLION >= mark * t.collar:
        return True
    sent_ns = s.bought_ns if lots > 0 else s.sold_ns
    return sent_ns > 0 and now - sent_ns < t.duplicate_ns


@njit(cache=True)
def enter(s: State, t: Terms, lots: int, mark: int, last: int, now: int, wild: bool) -> None:
    """Send an entry; or say that it might be denied."""
    if lots == 0 or wild or s.limit < 0 or abs(lots) > t.lots_max:
        s.status = LIMIT_NEAR
        return
    if might_be_denied(s, t, lots, mark, now) or might_be_denied(s, t, lots, last, now):
        s.status = LIMIT_NEAR
        return
    s.orders += 1
    s.entry, s.entry_limit, s.entry_sequence, s.entry_fresh = lots, s.limit, s.sequence, 1
    s.entry_expires = now + t.valid_ns if t.valid_ns > 0 and s.limit > 0 else 0
    if lots > 0:
        s.bought_ns = now
    else:
        s.sold_ns = now


@njit(cache=True)
def work(s: State, t: Terms, mark: int, last: int, now: int, wild: bool) -> None:
    """Send and cancel what the planner would. ``mark`` is what the bot knows, ``last`` what the exchange does."""
    held = s.lots
    if s.sequence == 0:
        return
    if held != 0 and s.void == 0 and sign(held) * sign(s.target) <= 0:
        s.unfinished = 1
    cancels = s.entry != 0 and (s.void != 0 or s.entry_sequence != s.sequence)
    if s.void == 0 and s.target != held:
        excess = 0
        if sign(held) * sign(s.target) <= 0:
            excess = held
        elif abs(held) > abs(s.target):
            excess = held - s.target
        if excess != 0:
            if abs(excess) > s.leaving:
                leave(s, t, excess)
        elif s.entered == 0 and not cancels and s.leaving == 0:
            s.entered = 1
            enter(s, t, s.target - held, mark, last, now, wild)
    protect(s)
    if cancels:
        s.entry = 0
        if s.void == 0 and s.entered == 0 and s.leaving == 0 and s.lots == 0 and s.target != 0:
            # The cancel is confirmed, and the planner is asked again.
            s.entered = 1
            enter(s, t, s.target, mark, last, now, wild)


@njit(cache=True)
def leave(s: State, t: Terms, excess: int) -> None:
    """Send an exit of what is held too much."""
    if s.leaving > 0 or abs(excess) > t.order_lots_max:
        # It would go out in parts.
        s.status = ENTANGLED
        return
    s.orders += 1
    s.leaving, s.leaving_sequence, s.leaving_id = abs(excess), s.sequence, s.orders


@njit(cache=True)
def protect(s: State) -> None:
    """Keep stop and take-profit equal to what is held."""
    size = abs(s.lots)
    if size == 0:
        s.guard = s.profit = 0
        return
    if sign(s.lots) * sign(s.target) <= 0:
        return
    if s.guard_sequence != s.sequence:
        s.guard = 0
    if s.profit_sequence != s.sequence:
        s.profit = 0
    if s.stop < 0 or s.take_profit < 0:
        s.status = LIMIT_NEAR
        return
    if s.stop > 0 and s.guard != size:
        s.orders += 1
        s.guard, s.guard_price, s.guard_sequence, s.guard_id = size, s.stop, s.sequence, s.orders
    if s.take_profit > 0 and s.profit != size:
        s.orders += 1
        s.profit, s.profit_price, s.profit_sequence, s.profit_id = size, s.take_profit, s.sequence, s.orders


@njit(cache=True)
def after_fill(
    s: State, t: Terms, lots: int, ordered: bool, mark: int, last: int, now: int, wild: bool
) -> None:
    """Do what the bot does about a fill of ``lots`` (signed): guards, the void of a target, the next orders."""
    held = s.lots - lots
    look(s, t, mark, now)
    if not ordered and sign(held) * sign(lots) < 0 and sign(held) * sign(s.target) > 0:
        s.void = 1
    if s.lots == 0:
        s.guard = s.profit = 0
    work(s, t, mark, last, now, wild)
    if t.reenters != 0 and s.wanted != NONE and sign(lots) * s.wanted < 0 and s.lots == 0:
        s.wanted = NONE


@njit(cache=True)
def fill_at_signal(
    s: State, t: Terms, bar: int, mark: int, last: int, now: int, wild: bool, fills: Integers
) -> None:
    """Fill market orders at the last price, until none is left."""
    while s.status == DONE:
        if s.leaving > 0:
            lots = -sign(s.lots) * min(s.leaving, abs(s.lots))
            order = s.leaving_id
            s.leaving = 0
        elif s.entry != 0 and s.entry_limit == 0:
            lots, order = s.entry, NONE
            s.entry = 0
        else:
            return
        fill(s, t, bar, lots, last, fee_of(t, lots, last, t.taker_rate), TAKER, order, fills)
        after_fill(s, t, lots, True, mark, last, now, wild)


# -- a bar meets what works -----------------------------------------------------------------------------------------


@njit(cache=True)
def meet_exit(s: State, t: Terms, bar: int, row: Integers, mark: int, wild: bool, fills: Integers) -> None:
    """Fill the exit at the open; what is left of it is over, and goes out again after the bar."""
    lots = min(s.leaving, abs(s.lots))
    if t.bounds_fills != 0:
        lots = min(lots, row[AVAILABLE])
    is_whole, in_time = lots == s.leaving, s.leaving_sequence == s.sequence
    s.leaving = 0
    if lots > 0:
        lots *= -sign(s.lots)
        price = taker_price(t, lots, row[OPEN])
        fill(s, t, bar, lots, price, fee_of(t, lots, price, t.taker_rate), TAKER, s.leaving_id, fills)
        if not is_whole:
            # While it works the rest is on its way; when it has ended the rest is sent anew.
            look(s, t, mark, row[TIME])
            if not in_time:
                work(s, t, mark, row[CLOSE], row[TIME], wild)
            else:
                s.unfinished = 1
            return
        after_fill(s, t, lots, True, mark, row[CLOSE], row[TIME], wild)
    elif in_time:
        s.unfinished = 1
    else:
        work(s, t, mark, row[CLOSE], row[TIME], wild)


@njit(cache=True)
def meet_entry(s: State, t: Terms, bar: int, row: Integers, mark: int, wild: bool, fills: Integers) -> None:
    """Fill the entry: at the open as a taker, at its limit as a maker."""
    if s.entry_expires > 0 and row[TIME] >= s.entry_expires:
        s.entry = 0
        return
    buys, limit, kind, price = s.entry > 0, s.entry_limit, TAKER, 0
    crosses = limit == 0
    if limit > 0 and s.entry_fresh != 0:
        crosses = limit >= row[OPEN] + t.half_spread if buys else limit <= max(1, row[OPEN] - t.half_spread)
    s.entry_fresh = 0
    if crosses:
        price = taker_price(t, s.entry, row[OPEN])
        if limit > 0:
            price = min(price, limit) if buys else max(price, limit)
    elif row[LOW] < limit if buys else row[HIGH] > limit:
        kind, price = MAKER, min(limit, row[OPEN]) if buys else max(limit, row[OPEN])
    lots = abs(s.entry)
    if t.bounds_fills != 0:
        lots = min(lots, row[AVAILABLE])
    if price == 0 or lots == 0:
        return
    lots *= sign(s.entry)
    s.entry -= lots
    s.entry_filled_in = bar + 1
    rate = t.maker_rate if kind == MAKER else t.taker_rate
    fill(s, t, bar, lots, price, fee_of(t, lots, price, rate), kind, NONE, fills)
    # Its protection is sent after the bar: what the bar meets next is what rested before it.
    after_fill(s, t, lots, True, mark, row[CLOSE], row[TIME], wild)


@njit(cache=True)
def meet_triggers(s: State, t: Terms, bar: int, row: Integers, mark: int, wild: bool, fills: Integers) -> None:
    """Trigger the stop, then the take-profit; either takes the market at once, and ends the position."""
    is_long, at, order = s.lots > 0, 0, NONE
    if s.guard > 0 and (row[LOW] <= s.guard_price if is_long else row[HIGH] >= s.guard_price):
        at = min(s.guard_price, row[OPEN]) if is_long else max(s.guard_price, row[OPEN])
        size, order = s.guard, s.guard_id
    elif s.profit > 0 and (row[HIGH] >= s.profit_price if is_long else row[LOW] <= s.profit_price):
        at = max(s.profit_price, row[OPEN]) if is_long else min(s.profit_price, row[OPEN])
        size, order = s.profit, s.profit_id
    else:
        return
    if s.entry_filled_in == bar + 1 or size < abs(s.lots):
        # The position has grown within the bar: what rests is smaller than what is held.
        s.status = ENTANGLED
        return
    lots = -s.lots
    price = taker_price(t, lots, at)
    fill(s, t, bar, lots, price, fee_of(t, lots, price, t.taker_rate), TAKER, order, fills)
    after_fill(s, t, lots, False, mark, row[CLOSE], row[TIME], wild)


@njit(cache=True)
def liquidate(
    s: State, t: Terms, bar: int, price: int, fee: int, row: Integers, mark: int, wild: bool, fills: Integers
) -> None:
    """Close the whole position, at a price and for a fee that were worked out elsewhere."""
    if s.entry_filled_in == bar + 1:
        s.status = ENTANGLED
        return
    # The bot learns first that its protection was canceled, and sends it once more: in vain.
    s.orders += (s.guard > 0) + (s.profit > 0)
    s.entry = s.leaving = s.guard = s.profit = 0
    s.liquidations += 1
    lots = -s.lots
    fill(s, t, bar, lots, price, fee, LIQUIDATION, NONE, fills)
    after_fill(s, t, lots, False, mark, row[CLOSE], row[TIME], wild)


@njit(cache=True)
def meet_bar(s: State, t: Terms, bar: int, row: Integers, mark: int, wild: bool, fills: Integers) -> None:
    """Let a bar meet the orders that work."""
    rested = s.guard > 0 or s.profit > 0
    if s.leaving > 0:
        meet_exit(s, t, bar, row, mark, wild, fills)
    elif s.entry != 0:
        meet_entry(s, t, bar, row, mark, wild, fills)
    if rested and s.lots != 0 and s.status == DONE:
        meet_triggers(s, t, bar, row, mark, wild, fills)


# -- the strategy --------------------------------------------------------------------------------------------------


@njit(cache=True)
def sized(s: State, t: Terms, price: int) -> int:
    """Return the unsigned size of a position taken at ``price``, in lots."""
    if t.sizing == FIXED:
        return t.size
    unit = price * t.unit
    if t.sizing == BY_NOTIONAL:
        return t.size // unit
    equity = max(0, equity_at(s, t, price))
    if equity > AMOUNT_MAX // t.size or unit > AMOUNT_MAX // t.size_scale:
        s.status = OVERFLOW
        return 0
    return equity * t.size // (t.size_scale * unit)


@njit(cache=True)
def decide(s: State, t: Terms, signal: Integers, close: int, now: int, wild: bool) -> None:
    """Take a signal: a new target when the side differs from what was wanted last."""
    wanted, side = s.wanted, signal[SIDE]
    held_side = 0 if wanted == NONE else wanted
    if (held_side > 0 and signal[LEAVE] & 1) or (held_side < 0 and signal[LEAVE] & 2):
        side = 0
    elif side == 0 or side == wanted or (t.from_flat != 0 and held_side != 0):
        return
    lots = side * sized(s, t, close) if side != 0 else 0
    if side != 0 and lots == 0:
        if held_side == 0:
            return
        side = 0
    s.wanted = side
    s.sequence += 1
    s.target, s.entered, s.void = lots, 0, 0
    s.limit, s.stop, s.take_profit = signal[LIMIT], signal[STOP], signal[TAKE_PROFIT]
    work(s, t, close, close, now, wild)


@njit(cache=True)
def settle(s: State, t: Terms, rate: int, settles: int, mark: int, now: int) -> int:
    """Pay or receive funding on the mark; return what was received."""
    if s.lots == 0:
        return 0
    amount = -scaled(s.lots * mark * t.unit, rate, t.funding_scale)
    s.balance += amount
    s.funding += amount
    day = settles // DAY_NS
    if day == s.day:
        s.paid -= amount
    look(s, t, mark, now)
    return amount


# -- the run -------------------------------------------------------------------------------------------------------


@njit(cache=True)
def run(
    s: State, t: Terms, bars: Integers, signals: Integers, settlements: Integers, fills: Integers, samples: Integers,
    receipts: Integers,
) -> None:  # fmt: skip
    """Go through the bars from ``s.bar`` on, until they are used up or ``s.status`` says why not.

    Args:
        s: The account and its orders; goes on where it stands.
        t: What does not change.
        bars: int64, shape (n, 7), oldest first; columns as in ``records``.
        signals: int64, shape (n, 5), one row a bar, or one a settlement.
        settlements: int64, shape (m, 3), in the order of time.
        fills: int64, shape (k, 5): the first k fills are written here.
        samples: int64, shape (n or 0, 2): equity and position of each bar.
        receipts: int64, shape (m or 0, 3): what each settlement brought, on which position, after how many fills.
    """
    paid, count = 0, len(bars)
    while paid < len(settlements) and settlements[paid, AFTER_BAR] < s.bar:
        paid += 1
    for bar in range(s.bar, count):
        row = bars[bar]
        now, close = row[TIME], row[CLOSE]
        wild = row[WILD] != 0
        if bar > t.first and (s.lots != 0 or s.entry != 0):
            mark, wild_before = bars[bar - 1, CLOSE], wild or bars[bar - 1, WILD] != 0
            if now - bars[bar - 1, TIME] > t.gap_ns_max:
                s.status = LIMIT_NEAR
            if s.resumes == 0:
                meet_bar(s, t, bar, row, mark, wild_before, fills)
                if t.at_signal != 0:
                    fill_at_signal(s, t, bar, mark, close, now, wild_before, fills)
                if s.lots != 0 and s.status == DONE:
                    worst = row[LOW] if s.lots > 0 else row[HIGH]
                    if equity_at(s, t, worst) <= at_most(abs(s.lots) * worst * t.unit, t.maintenance):
                        s.bar, s.status = bar, LIQUIDATION_NEAR
        if s.status != DONE:
            s.bar = bar
            return
        s.resumes = 0
        look(s, t, close, now)
        if len(samples) > 0:
            samples[bar, EQUITY], samples[bar, HELD] = equity_at(s, t, close), s.lots
        if s.unfinished != 0:
            s.unfinished = 0
            work(s, t, close, close, now, wild)
            if t.at_signal != 0:
                fill_at_signal(s, t, bar, close, close, now, wild, fills)
        if t.on_funding == 0 and s.status == DONE:
            decide(s, t, signals[bar], close, now, wild)
            if t.at_signal != 0:
                fill_at_signal(s, t, bar, close, close, now, wild, fills)
        while paid < len(settlements) and settlements[paid, AFTER_BAR] == bar and s.status == DONE:
            held, filled = s.lots, s.fills
            amount = settle(s, t, settlements[paid, RATE], settlements[paid, SETTLES], close, now)
            if len(receipts) > 0:
                receipts[paid, RECEIVED], receipts[paid, SETTLED_LOTS], receipts[paid, FILLS_BEFORE] = amount, held, filled
            if t.on_funding != 0:
                decide(s, t, signals[paid], close, now, wild)
                if t.at_signal != 0:
                    fill_at_signal(s, t, bar, close, close, now, wild, fills)
            paid += 1
        if s.status != DONE:
            s.bar = bar
            return
    s.bar = count
