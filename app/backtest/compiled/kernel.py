"""The bot and its exchange on bars, for one symbol, in integers. Compiled.

It takes the same steps in the same order as the matching engine and the coordinators do, when nothing takes time:

1. A bar meets what works: an exit or an entry at its open or its limit, then the stop, then the take-profit, then a
   liquidation. What the bot does about a fill it does before the bar itself, at the mark of the bar before.
2. The bar becomes the mark; guards look; an exit that is not done goes out again; the strategy is asked.
3. Funding that settled within the bar is paid, and the strategy is asked if that is what it listens to.

The guard of losses in a row is worked, for most long runs meet it: trading rests, and what would grow is denied. Other
limits and guards are not: a bound that is never too wide tells when one *might* bind, and the kernel then stops with a
status instead of going on. So it does when more happens within one bar than it knows the order of.
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
def fill(s: State, t: Terms, lots: int, price: int, fee: int, kind: int, order: int, fills: Integers) -> None:
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
        row[FILL_BAR], row[FILL_LOTS], row[FILL_PRICE], row[FILL_FEE], row[FILL_KIND] = s.bar, lots, price, fee, kind
    s.fills += 1
    if abs(s.balance) > AMOUNT_MAX:
        s.status = OVERFLOW
    if realized != 0:
        if order == NONE or order != s.losing_order:
            s.losing_order, s.losing_result, s.losses_before = order, 0, s.losses
        s.losing_result += realized - fee
        s.losses = s.losses_before + 1 if s.losing_result < 0 else 0
        if 0 <= t.losses_max <= s.losses and s.rests_until == 0:
            s.rests_until, s.rest_losses = s.now + t.rest_ns, s.losses


@njit(cache=True)
def fee_of(t: Terms, lots: int, price: int, rate: int) -> int:
    """Return the fee of a fill."""
    return scaled(abs(lots) * price * t.unit, rate, t.rate_scale)


@njit(cache=True)
def end_rest(s: State) -> None:
    """End a rest that is over: at a look, and before a fill that is not the first to be told of its bar.

    What comes first in a bar makes the bot's clock tick, and the guards look at once: a loss that follows counts anew.
    """
    if 0 < s.rests_until <= s.now:
        s.rests_until = s.losses = 0


@njit(cache=True)
def look(s: State, t: Terms) -> None:
    """Say so when a guard might have something to say; that of losses in a row is worked, and its rest may be over."""
    end_rest(s)
    equity = equity_at(s, t, s.mark)
    day = s.now // DAY_NS
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
        value = abs(s.lots) * s.mark * t.unit
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
def take(s: State, t: Terms, lots: int, price: int, order: int, fills: Integers) -> None:
    """Fill ``lots`` (signed) as a taker."""
    fill(s, t, lots, price, fee_of(t, lots, price, t.taker_rate), TAKER, order, fills)


@njit(cache=True)
def might_be_denied(s: State, t: Terms, lots: int, mark: int) -> bool:
    """Whether any check of an entry, the bot's or the exchange's, might say no at ``mark``."""
    size, equity = abs(lots), equity_at(s, t, mark)
    price = s.limit if s.limit > 0 else mark
    value, held = size * price * t.unit, abs(s.lots) * mark * t.unit
    own = (size + abs(s.lots)) * mark * t.unit
    sent_ns = s.bought_ns if lots > 0 else s.sold_ns
    return (
        not t.lots_min <= size <= t.order_lots_max
        or value < t.notional_min
        or value > t.order_notional_max
        or own > t.position_notional_max
        or equity <= 0
        or (t.exposure >= 0 and own > equity // MILLION * t.exposure)
        or scaled(value + held, t.leverage_scale, t.leverage) + 2 > equity
        or (t.liquidation_distance >= 0 and is_near_liquidation(t, equity, own, t.liquidation_distance))
        or (t.collar >= 0 and s.limit > 0 and abs(s.limit - mark) * MILLION >= mark * t.collar)
        or (sent_ns > 0 and s.now - sent_ns < t.duplicate_ns)
    )


@njit(cache=True)
def enter(s: State, t: Terms, lots: int) -> None:
    """Send an entry; or say that it might be denied, by the bot at its mark or by the exchange at its last price."""
    s.entered = 1
    if (
        s.wild != 0
        or s.limit < 0
        or s.limit > t.price_max
        or abs(lots) + abs(s.lots) > t.lots_max
        or might_be_denied(s, t, lots, s.mark)
        or might_be_denied(s, t, lots, s.last)
    ):
        s.status = LIMIT_NEAR
    elif s.rests_until > 0:
        # Denied for good: the target counts as entered.
        s.denied += 1
    else:
        s.orders += 1
        s.entry, s.entry_limit, s.entry_sequence, s.entry_fresh = lots, s.limit, s.sequence, 1
        s.entry_expires = s.now + t.valid_ns if t.valid_ns > 0 and s.limit > 0 else 0
        if lots > 0:
            s.bought_ns = s.now
        else:
            s.sold_ns = s.now


@njit(cache=True)
def excess_of(held: int, wanted: int) -> int:
    """Return the signed part of a position that must go: all of it when it is on the wrong side."""
    if sign(held) * sign(wanted) <= 0:
        return held
    return held - wanted if abs(held) > abs(wanted) else 0


@njit(cache=True)
def work(s: State, t: Terms) -> None:
    """Send and cancel what the planner would."""
    if s.sequence == 0:
        return
    if s.void == 0 and s.lots != 0 and sign(s.lots) * sign(s.target) <= 0:
        s.unfinished = 1
    cancels = s.entry != 0 and (s.void != 0 or s.entry_sequence != s.sequence)
    excess = excess_of(s.lots, s.target) if s.void == 0 else 0
    if abs(excess) > s.leaving:
        leave(s, t, excess)
    if cancels:
        # It is confirmed before anything else happens, and the planner is asked again.
        s.entry = 0
    if s.void == 0 and excess == 0 and s.target != s.lots and s.entered == 0 and s.leaving == 0:
        enter(s, t, s.target - s.lots)
    protect(s)


@njit(cache=True)
def leave(s: State, t: Terms, excess: int) -> None:
    """Send an exit of what is held too much."""
    if s.leaving > 0 or abs(excess) > t.exit_lots_max:
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
    if s.stop > 0 and s.guard != size:
        s.orders += 1
        s.guard, s.guard_price, s.guard_sequence, s.guard_id = size, s.stop, s.sequence, s.orders
    if s.take_profit > 0 and s.profit != size:
        s.orders += 1
        s.profit, s.profit_price, s.profit_sequence, s.profit_id = size, s.take_profit, s.sequence, s.orders


@njit(cache=True)
def after_fill(s: State, t: Terms, lots: int) -> None:
    """Do what the bot does about a fill of ``lots`` (signed): guards, the next orders, the strategy's notice."""
    look(s, t)
    work(s, t)
    if t.reenters != 0 and s.wanted != NONE and sign(lots) * s.wanted < 0 and s.lots == 0:
        s.wanted = NONE


@njit(cache=True)
def void_target(s: State) -> None:
    """Void the target that the held position is of: something is about to close it that the strategy did not order."""
    if sign(s.lots) * sign(s.target) > 0:
        s.void = 1


@njit(cache=True)
def fill_at_signal(s: State, t: Terms, fills: Integers) -> None:
    """Fill market orders at the last price, until none is left; nothing where they wait for the next bar."""
    while t.at_signal != 0 and s.status == DONE:
        if s.leaving > 0:
            lots, order = -sign(s.lots) * min(s.leaving, abs(s.lots)), s.leaving_id
            s.leaving = 0
        elif s.entry != 0 and s.entry_limit == 0:
            lots, order = s.entry, NONE
            s.entry = 0
        else:
            return
        take(s, t, lots, s.last, order, fills)
        after_fill(s, t, lots)


# -- a bar meets what works -----------------------------------------------------------------------------------------


@njit(cache=True)
def available(t: Terms, lots: int, row: Integers) -> int:
    """Return how much of an order of ``lots`` (unsigned) a bar can fill."""
    return min(lots, row[AVAILABLE]) if t.bounds_fills != 0 else lots


@njit(cache=True)
def meet_exit(s: State, t: Terms, row: Integers, fills: Integers) -> None:
    """Fill the exit at the open; what is left of it is over, and goes out again after the bar."""
    asked, in_time = s.leaving, s.leaving_sequence == s.sequence
    lots = available(t, min(asked, abs(s.lots)), row)
    if lots == asked:
        s.leaving = 0
    if lots > 0:
        signed = -sign(s.lots) * lots
        take(s, t, signed, taker_price(t, signed, row[OPEN]), s.leaving_id, fills)
        # While it works, what it has still to fill is on its way: the planner sends nothing for it.
        s.leaving = asked - lots
        after_fill(s, t, signed)
    if lots < asked:
        end_rest(s)
        s.leaving = 0
        if in_time:
            s.unfinished = 1
        else:
            work(s, t)


@njit(cache=True)
def entry_price(s: State, t: Terms, row: Integers) -> tuple[int, int]:
    """Return the price at which a bar fills the entry, 0 when it does not, and as what."""
    buys, limit = s.entry > 0, s.entry_limit
    crosses = limit == 0
    if limit > 0 and s.entry_fresh != 0:
        crosses = limit >= row[OPEN] + t.half_spread if buys else limit <= max(1, row[OPEN] - t.half_spread)
    if crosses:
        price = taker_price(t, s.entry, row[OPEN])
        if limit > 0:
            price = min(price, limit) if buys else max(price, limit)
        return price, TAKER
    if row[LOW] < limit if buys else row[HIGH] > limit:
        return min(limit, row[OPEN]) if buys else max(limit, row[OPEN]), MAKER
    return 0, MAKER


@njit(cache=True)
def meet_entry(s: State, t: Terms, row: Integers, fills: Integers) -> None:
    """Fill the entry: at the open as a taker, at its limit as a maker."""
    if 0 < s.entry_expires <= s.now:
        end_rest(s)
        s.entry = 0
        return
    price, kind = entry_price(s, t, row)
    s.entry_fresh = 0
    lots = available(t, abs(s.entry), row)
    if price == 0 or lots == 0:
        return
    signed = sign(s.entry) * lots
    s.entry -= signed
    s.entry_filled_in = s.bar + 1
    rate = t.maker_rate if kind == MAKER else t.taker_rate
    fill(s, t, signed, price, fee_of(t, lots, price, rate), kind, NONE, fills)
    after_fill(s, t, signed)


@njit(cache=True)
def meet_triggers(s: State, t: Terms, row: Integers, rested: tuple[int, int, int, int], fills: Integers) -> None:
    """Trigger the stop, then the take-profit, of the sizes and ids that they had before the bar.

    Either takes the market at once and cancels the other. What an entry has added within the bar stays: it is protected
    after the bar only, when the bot has heard of it.
    """
    is_long = s.lots > 0
    guard, guard_id, profit, profit_id = rested
    if guard > 0 and (row[LOW] <= s.guard_price if is_long else row[HIGH] >= s.guard_price):
        at = min(s.guard_price, row[OPEN]) if is_long else max(s.guard_price, row[OPEN])
        size, order = guard, guard_id
    elif profit > 0 and (row[HIGH] >= s.profit_price if is_long else row[LOW] <= s.profit_price):
        at = max(s.profit_price, row[OPEN]) if is_long else min(s.profit_price, row[OPEN])
        size, order = profit, profit_id
    else:
        return
    if size < abs(s.lots) and s.entry_filled_in != s.bar + 1:
        s.status = ENTANGLED
        return
    void_target(s)
    end_rest(s)  # that it has triggered is told before its fill
    lots = -sign(s.lots) * min(size, abs(s.lots))
    take(s, t, lots, taker_price(t, lots, at), order, fills)
    after_fill(s, t, lots)
    if s.leaving > 0 and s.lots == 0:
        # An exit that was sent anew within the bar came after the stop: it is refused.
        s.leaving, s.unfinished = 0, 1


@njit(cache=True)
def liquidate(s: State, t: Terms, price: int, fee: int, fills: Integers) -> None:
    """Close the whole position, at a price and for a fee that were worked out elsewhere."""
    if s.entry_filled_in == s.bar + 1:
        s.status = ENTANGLED
        return
    if sign(s.lots) * sign(s.target) > 0:
        # The bot learns first that its protection was canceled, and sends it once more: in vain.
        s.orders += (s.guard > 0) + (s.profit > 0)
    if s.entry != 0 or s.leaving + s.guard + s.profit > 0:
        end_rest(s)  # that they are canceled is told before the liquidation
    s.entry = s.leaving = s.guard = s.profit = 0
    s.liquidations += 1
    void_target(s)
    lots = -s.lots
    fill(s, t, lots, price, fee, LIQUIDATION, NONE, fills)
    after_fill(s, t, lots)


@njit(cache=True)
def meet_bar(s: State, t: Terms, row: Integers, fills: Integers) -> None:
    """Let a bar meet the orders and the position."""
    rested = s.guard, s.guard_id, s.profit, s.profit_id
    if s.leaving > 0:
        meet_exit(s, t, row, fills)
    elif s.entry != 0:
        meet_entry(s, t, row, fills)
    if s.lots != 0 and s.status == DONE:
        meet_triggers(s, t, row, rested, fills)
    fill_at_signal(s, t, fills)
    if s.lots != 0 and s.status == DONE:
        worst = row[LOW] if s.lots > 0 else row[HIGH]
        if equity_at(s, t, worst) <= at_most(abs(s.lots) * worst * t.unit, t.maintenance):
            s.status = LIQUIDATION_NEAR


# -- the strategy --------------------------------------------------------------------------------------------------


@njit(cache=True)
def sized(s: State, t: Terms) -> int:
    """Return the unsigned size of a position taken at the last price, in lots."""
    if t.sizing == FIXED:
        return t.size
    unit = s.last * t.unit
    if t.sizing == BY_NOTIONAL:
        return t.size // unit
    equity = max(0, equity_at(s, t, s.last))
    if equity > AMOUNT_MAX // t.size or unit > AMOUNT_MAX // t.size_scale:
        s.status = OVERFLOW
        return 0
    return equity * t.size // (t.size_scale * unit)


@njit(cache=True)
def decide(s: State, t: Terms, signal: Integers, fills: Integers) -> None:
    """Take a signal: a new target when the side differs from what was wanted last."""
    wanted, side = s.wanted, signal[SIDE]
    left = 4 if wanted == NONE else 1 if wanted > 0 else 2 if wanted < 0 else 0
    if signal[LEAVE] & left != 0:
        side = 0
    elif side in (0, wanted) or (t.from_flat != 0 and left < 4 and wanted != 0):
        return
    lots = side * sized(s, t) if side != 0 else 0
    if side != 0 and lots == 0:
        if wanted in (0, NONE):
            return
        side = 0
    s.wanted = side
    s.sequence += 1
    s.target, s.entered, s.void = lots, 0, 0
    s.limit, s.stop, s.take_profit = signal[LIMIT], signal[STOP], signal[TAKE_PROFIT]
    if s.limit < 0 or s.stop < 0 or s.take_profit < 0:
        # No target can be made of it: the strategy's own error is the bot's to tell.
        s.status = LIMIT_NEAR
        return
    work(s, t)
    fill_at_signal(s, t, fills)


@njit(cache=True)
def settle(s: State, t: Terms, settlement: Integers, receipts: Integers) -> None:
    """Pay or receive funding on the mark; write it into the first of ``receipts``, if there is one."""
    if s.lots == 0:
        return
    amount = -scaled(s.lots * s.mark * t.unit, settlement[RATE], t.funding_scale)
    for receipt in receipts:
        receipt[RECEIVED], receipt[SETTLED_LOTS], receipt[FILLS_BEFORE] = amount, s.lots, s.fills
    s.balance += amount
    s.funding += amount
    if settlement[SETTLES] // DAY_NS == s.day:
        s.paid -= amount
    look(s, t)


@njit(cache=True)
def take_mark(s: State, t: Terms, fills: Integers) -> None:
    """Take the close as the mark: guards look, and an exit that is not done goes out again."""
    s.mark = s.last
    look(s, t)
    if s.unfinished != 0:
        s.unfinished = 0
        work(s, t)
        fill_at_signal(s, t, fills)


# -- the run -------------------------------------------------------------------------------------------------------


@njit(cache=True)
def begin(s: State, t: Terms, bars: Integers, bar: int) -> None:
    """Go to a bar: the bot still knows the mark before it, the exchange already its close."""
    row, before = bars[bar], bars[max(t.first, bar - 1)]
    s.bar, s.now, s.last, s.mark = bar, row[TIME], row[CLOSE], before[CLOSE]
    s.wild = before[WILD] + row[WILD]
    if (s.lots != 0 or s.entry != 0) and s.now - before[TIME] > t.gap_ns_max:
        s.status = LIMIT_NEAR


@njit(cache=True)
def end(s: State) -> None:
    """Say so when the end itself makes a difference: the bot would still answer that its old exit was canceled."""
    if s.leaving > 0 and s.leaving_sequence != s.sequence:
        s.status = ENTANGLED


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
    paid = 0
    while paid < len(settlements) and settlements[paid, AFTER_BAR] < s.bar:
        paid += 1
    for bar in range(s.bar, len(bars)):
        begin(s, t, bars, bar)
        if s.resumes == 0 and (s.lots != 0 or s.entry != 0):
            meet_bar(s, t, bars[bar], fills)
            if s.status != DONE:
                return
        s.resumes = 0
        if len(samples) > 0:
            samples[bar, EQUITY], samples[bar, HELD] = equity_at(s, t, s.last), s.lots
        take_mark(s, t, fills)
        if t.on_funding == 0:
            decide(s, t, signals[bar], fills)
        while paid < len(settlements) and settlements[paid, AFTER_BAR] == bar:
            settle(s, t, settlements[paid], receipts[paid : paid + 1])
            if t.on_funding != 0:
                decide(s, t, signals[paid], fills)
            paid += 1
        if s.status != DONE:
            return
    end(s)
