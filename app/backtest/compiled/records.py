"""What the kernel works on: plain records of 64-bit integers, and the columns of its arrays.

Prices are in ticks, sizes in lots, money in ledger quanta, times in UTC nanoseconds, ratios in parts of a million. A
class here is the description of a record; the kernel sees its fields as attributes.
"""

from typing import Any, cast

import numpy as np

NONE = -(2**62)
"""Stands for None where a number, zero included, means something."""
MILLION = 1_000_000
AMOUNT_MAX = 2**56
"""The largest amount and value in quanta (720 million of the currency): whatever is multiplied with one fits."""
FIXED, BY_NOTIONAL, BY_EQUITY = range(3)
"""Sizing models."""

TIME, OPEN, HIGH, LOW, CLOSE, AVAILABLE, WILD = range(7)
"""Columns of the bars: when it closed, prices, what one order may take of the volume, whether it is too wild."""
SIDE, LEAVE, LIMIT, STOP, TAKE_PROFIT = range(5)
"""Columns of the signals: the side asked for (0: none), which wants end (1 long, 2 short, 4 none in particular), and
prices (0: none; negative: one that no order may have)."""
AFTER_BAR, RATE, SETTLES = range(3)
"""Columns of the settlements: the bar that they follow, the rate, and when they are due."""
FILL_BAR, FILL_LOTS, FILL_PRICE, FILL_FEE, FILL_KIND = range(5)
"""Columns of the fills: in which bar, signed size, price, fee, and which kind of order."""
EQUITY, HELD = range(2)
"""Columns of the samples, one for each bar: equity, and the signed position."""
RECEIVED, SETTLED_LOTS, FILLS_BEFORE = range(3)
"""Columns of the receipts, one for each settlement: what it brought, on which position, after how many fills."""

TAKER, MAKER, LIQUIDATION = range(3)
"""Kinds of fills."""

DONE, LIQUIDATION_NEAR, LIMIT_NEAR, ENTANGLED, OVERFLOW = range(5)
"""Why the kernel returned."""


class Terms:
    """What does not change within a run."""

    unit: int
    """Quanta of one lot at a price of one tick."""
    lots_min: int
    lots_max: int
    """Above it an order is refused or an amount may not fit: another path must say which."""
    notional_min: int
    taker_rate: int
    maker_rate: int
    rate_scale: int
    half_spread: int
    """Ticks."""
    slippage: int
    slippage_scale: int
    bounds_fills: int
    """Whether an order may only take a share of the volume."""
    at_signal: int
    """Whether market orders fill at the close that they were decided on."""
    price_max: int
    """Above it a limit is no price that an amount was checked to fit for."""
    exit_lots_max: int
    """The most that one exit may carry."""
    funding_scale: int
    maintenance: int
    """Largest maintenance rate of the table."""
    leverage: int
    leverage_scale: int
    sizing: int
    """FIXED, or by an amount, or by equity."""
    size: int
    size_scale: int
    reenters: int
    from_flat: int
    """Whether the strategy enters only when it wants nothing."""
    on_funding: int
    """Whether the signals belong to the settlements instead of the bars."""
    valid_ns: int
    """How long an entry at a limit is good; 0 is until it is canceled."""
    first: int
    """The first bar that is traded; those before warm the strategy up."""
    gap_ns_max: int
    duplicate_ns: int
    order_lots_max: int
    order_notional_max: int
    position_notional_max: int
    exposure: int
    """Least of the ratios of notional / equity."""
    liquidation_distance: int
    collar: int
    day_keeps: int
    peak_keeps: int
    losses_max: int
    """Closing orders that may lose in a row; -1 is no limit."""
    rest_ns: int
    """How long nothing grows after that."""
    buffer: int
    margin: int
    funding_cost: int


class State:
    """The account, what the strategy wants, and the orders that work. All zero is none."""

    status: int
    bar: int
    """The present bar; where to go on."""
    now: int
    last: int
    """Close of the present bar: what the exchange knows."""
    mark: int
    """What the bot knows: within a bar still the close before it."""
    wild: int
    """Whether volatility may hold trading back."""
    resumes: int
    """Whether that bar was matched already."""
    lots: int
    """Signed position."""
    cost: int
    balance: int
    realized: int
    fees: int
    funding: int
    fills: int
    orders: int
    liquidations: int
    wanted: int
    """Side that the strategy asked for last; NONE when none."""
    sequence: int
    target: int
    """Signed lots."""
    limit: int
    stop: int
    take_profit: int
    entered: int
    void: int
    unfinished: int
    entry: int
    """Signed lots of the entry that still works."""
    entry_limit: int
    entry_sequence: int
    entry_fresh: int
    entry_expires: int
    entry_filled_in: int
    """One more than the latest bar in which an entry was filled."""
    leaving: int
    """Lots of the exit that works; as all that follow it reduces only."""
    leaving_sequence: int
    leaving_id: int
    guard: int
    """Lots of the stop-loss."""
    guard_price: int
    guard_sequence: int
    guard_id: int
    profit: int
    """Lots of the take-profit."""
    profit_price: int
    profit_sequence: int
    profit_id: int
    bought_ns: int
    sold_ns: int
    day: int
    day_high: int
    day_high_before: int
    day_floor: int
    peak: int
    peak_floor: int
    losses: int
    losses_before: int
    losing_order: int
    losing_result: int
    rests_until: int
    """Until then nothing grows, for so many losses in a row; 0 when trading does not rest."""
    rest_losses: int
    """How many they were when it began."""
    denied: int
    """Entries that were not sent for it."""
    paid: int
    """Funding of the day."""


def new_record(kind: type[Any]) -> Any:  # noqa: ANN401 - it has the fields of ``kind``, and numpy's own type
    """Return a record of ``kind`` with all fields zero."""
    fields = np.dtype([(name, np.int64) for name in kind.__annotations__], align=True)
    return cast("Any", np.zeros(1, fields).view(np.recarray)[0])
