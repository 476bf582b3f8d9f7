"""What a strategy is: a pure, deterministic function of the stream, with a memory.

One instance trades one symbol. A subclass gives its ``Params``, its ``warmup_bars`` and ``on_bar`` (or another
``on_…``), and says what it wants with ``self.target(...)``; everything else has a default that fits.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel, ConfigDict

from app.domain.events import Fill
from app.domain.market import Bar, FundingRate, MarketEvent, MarkPrice, Quote, Trade
from app.domain.order import OrderType
from app.domain.target import Entry, Target
from app.domain.term import Term
from app.ports.strategy_view import StrategyView
from app.strategies.sizing import Sizing

DEFAULT_ENTRY = Entry()
_SIDES = (1, 0, -1)
WARM_UP_MAX = 600_000
"""More than a year of minutes: a start waits for all of them."""


class Feed(Term):
    """A kind of market data."""

    BARS = "bars"
    QUOTES = "quotes"
    TRADES = "trades"
    MARKS = "marks"
    FUNDING = "funding"


class Subscription(msgspec.Struct, frozen=True):
    """Market data that a strategy wants to see."""

    feed: Feed
    interval_s: int = 0
    """Length of the bars; from 1 s."""
    symbol: str | None = None
    """None is the symbol that the strategy trades."""


class StrategyParams(BaseModel):
    """Parameters of a strategy; unknown ones are refused, and all are checked before anything starts."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BarParams(StrategyParams):
    """Parameters of a strategy on bars."""

    interval_s: int = 60


class Strategy:
    """Base of all strategies."""

    Params: ClassVar[type[StrategyParams]] = BarParams
    reenters: ClassVar[bool] = False
    """Whether it may take the same side again after a stop, a take-profit or a liquidation has closed its position."""

    def __init__(self, strategy_id: str, symbol: str, params: Any, sizing: Sizing) -> None:  # noqa: ANN401 - the subclass's own Params
        self.strategy_id = strategy_id
        self.symbol = symbol
        self.params = params
        self._params_json: str = params.model_dump_json()
        self._sizing = sizing
        self._wanted: int | None = None
        self._sequence = 0
        self._bars_seen = 0
        self._warming = False
        self._handlers: dict[type, Callable[[Any, StrategyView], Target | None]] = {
            Bar: self.take_bar,
            Quote: self.on_quote,
            Trade: self.on_trade,
            MarkPrice: self.on_mark,
            FundingRate: self.on_funding,
        }
        self.setup()

    # -- what a subclass gives -----------------------------------------------------------------------------------

    def setup(self) -> None:
        """Create indicators. They, and plain numbers and texts set here, are saved and restored by themselves."""

    @property
    def warmup_bars(self) -> int:
        """Bars that must have been seen before the strategy acts."""
        return 0

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Return the market data that it wants to see; bars of ``params.interval_s`` unless overridden."""
        return (Subscription(Feed.BARS, interval_s=self.params.interval_s),)

    def on_bar(self, bar: Bar, view: StrategyView) -> Target | None:
        """Take a closed bar in; return a target when it changes."""

    def on_quote(self, quote: Quote, view: StrategyView) -> Target | None:
        """Take the top of the book in."""

    def on_trade(self, trade: Trade, view: StrategyView) -> Target | None:
        """Take a public trade in."""

    def on_mark(self, mark: MarkPrice, view: StrategyView) -> Target | None:
        """Take a mark price in."""

    def on_funding(self, funding: FundingRate, view: StrategyView) -> Target | None:
        """Take a funding rate in."""

    def on_fill(self, fill: Fill, view: StrategyView) -> Target | None:
        """Take notice of a fill in its symbol: its own, or a stop's, or a liquidation's."""
        if self.reenters and self._wanted is not None:
            closes = fill.signed_contracts * self._wanted < 0
            if closes and view.position(self.symbol).is_flat:
                self.forget()
        return None

    # -- what a subclass calls -----------------------------------------------------------------------------------

    def target(
        self,
        view: StrategyView,
        side: int,
        time_ns: int,
        price: Decimal,
        *,
        entry: Entry = DEFAULT_ENTRY,
        stop: Decimal | None = None,
        take_profit: Decimal | None = None,
        trailing: Decimal | None = None,
        reason: str = "",
    ) -> Target | None:
        """Return a sized target when ``side`` differs from what was wanted last; else None.

        None also while the strategy warms up, so that ``on_bar`` need not know whether it sees history; and when the
        size comes to nothing, so that it enters as soon as it comes to something.

        Args:
            view: What the strategy was called with.
            side: +1 long, -1 short, 0 flat.
            time_ns: Time of the event it decides on.
            price: Price that the size is computed at, quote currency.
            entry: How to open.
            stop: Price of the stop-loss; it is rounded to the tick.
            take_profit: Price at which to take the profit; it is rounded to the tick.
            trailing: Distance of a trailing stop, below the price for a long; it is rounded to the tick.
            reason: Why, for the trace of decisions.
        """
        if side == self._wanted or self._warming or self._bars_seen < self.warmup_bars:
            return None
        if side not in _SIDES:
            # Sizes are multiplied by it: a 2 would trade twice what the sizing says.
            raise ValueError(f"side is {side!r}: use +1 for long, -1 for short, 0 for flat")
        instrument = view.instrument(self.symbol)
        contracts = side * self._sizing.contracts(instrument, price, view.equity) if side else Decimal(0)
        if side and not contracts:
            # Too little for one lot, or the sizing does not know yet: what is held is given up, and asked for again.
            if not self._wanted:
                return None
            side = 0
        if side and entry.type is OrderType.MARKET:
            # Other entries fill elsewhere, and much later.
            _check_sides(side, price, stop, take_profit)
        self._wanted = side
        self._sequence += 1
        return Target(
            strategy_id=self.strategy_id,
            symbol=self.symbol,
            contracts=contracts,
            sequence=self._sequence,
            time_ns=time_ns,
            entry=entry,
            stop=stop,
            take_profit=take_profit,
            trailing=trailing,
            reason=reason,
        ).on_tick(instrument)

    def begin_anew(self) -> None:
        """Forget everything, as if it had just been made: ``setup`` is called again. The sequence goes on."""
        self._wanted, self._bars_seen = None, 0
        self.setup()

    def count_from(self, sequence: int) -> None:
        """Let the next target have a higher sequence than this: one that is no higher would be passed over."""
        self._sequence = max(self._sequence, sequence)

    def forget(self) -> None:
        """Want nothing in particular: the next ``target`` counts as new, whatever its side."""
        self._wanted = None

    @property
    def wanted(self) -> int | None:
        """The side asked for last: +1, -1, 0; None when none was."""
        return self._wanted

    @property
    def sequence(self) -> int:
        """The sequence of its latest target; 0 before the first."""
        return self._sequence

    # -- what the strategy coordinator calls ---------------------------------------------------------------------

    def on_event(self, event: MarketEvent, view: StrategyView) -> Target | None:
        """Take a market event in; return a target when it changes."""
        return self._handlers[type(event)](event, view)

    def on_history(self, bars: Iterable[Bar], view: StrategyView) -> None:
        """Take bars in that are past: at the start, and after a gap. They change indicators, never the target."""
        self._warming = True
        try:
            for bar in bars:
                self.take_bar(bar, view)
        finally:
            self._warming = False

    def checked_warm_up(self) -> int:
        """Return ``warmup_bars``.

        Raises:
            TypeError: They are no number of bars that a start could wait for.
        """
        wanted: object = self.warmup_bars
        if isinstance(wanted, int) and wanted <= WARM_UP_MAX:
            return wanted
        raise TypeError(f"warmup_bars is {wanted!r}: it must be a whole number of bars, at most {WARM_UP_MAX}")

    @property
    def is_warm(self) -> bool:
        """Whether enough bars have been seen to act."""
        return self._bars_seen >= self.warmup_bars

    def snapshot(self) -> bytes:
        """Return the memory of the strategy: what ``setup`` created, what it wants, its sequence, and its sizing.

        JSON. A strategy that cannot say its memory is set aside, as one that raises elsewhere: after a restart it would
        take the position that it has for none.
        """
        state = {name: getattr(self, name) for name in self._remembered()}
        try:
            return msgspec.json.encode(state | {"params": self._params_json, "sizing": self._sizing.snapshot()})
        except TypeError:
            for name, value in state.items():
                _check_encodes(name, value)
            raise

    def restore(self, payload: bytes) -> None:
        """Take over what ``snapshot`` returned, into attributes of the types that ``setup`` gave them.

        Whatever it raises, the strategy begins anew, with a warning (``setup`` is called again, and history warms it
        up): a memory of before the strategy was edited is no reason not to start.

        Raises:
            msgspec.ValidationError: The memory is of another kind than this strategy's, or of other parameters. Only
                the sequence was taken over: targets of a lower one than the last would be ignored.
        """
        state = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
        self._sequence = msgspec.json.decode(state.get("_sequence", b"0"), type=int)
        if msgspec.json.decode(state.get("params", b'""')) != self._params_json:
            raise msgspec.ValidationError("it was made with other parameters, or by another class")
        types = {"_wanted": int | None, "_sequence": int, "_bars_seen": int}
        restored = {
            name: msgspec.json.decode(state[name], type=types.get(name) or _type_of(getattr(self, name)))
            for name in self._remembered()
            if name in state
        }
        self._sizing.restore(bytes(state.get("sizing", b"null")))
        for name, value in restored.items():
            setattr(self, name, value)

    def take_bar(self, bar: Bar, view: StrategyView) -> Target | None:
        """Count a closed bar, let the sizing see it, and ask ``on_bar``."""
        self._bars_seen += 1
        if self._sizing.measures:
            self._sizing.observe(bar)
        return self.on_bar(bar, view)

    def _remembered(self) -> list[str]:
        services = {"strategy_id", "symbol", "params", "_params_json", "_sizing", "_warming", "_handlers"}
        return [name for name in vars(self) if name not in services]


def _check_sides(side: int, entered_at: Decimal, stop: Decimal | None, take_profit: Decimal | None) -> None:
    """Refuse protection that would go off at once: two fees for nothing."""
    if stop is not None and (entered_at - stop) * side <= 0:
        raise ValueError(f"stop {stop} is on the wrong side of {entered_at}")
    if take_profit is not None and (take_profit - entered_at) * side <= 0:
        raise ValueError(f"take_profit {take_profit} is on the wrong side of {entered_at}")


def _check_encodes(name: str, value: object) -> None:
    try:
        msgspec.json.encode(value)
    except TypeError as error:
        raise TypeError(f"self.{name} cannot be saved ({error}): override snapshot and restore") from error


def _type_of(value: object) -> Any:  # noqa: ANN401 - a type expression for msgspec
    """Return what an attribute may hold: its own type, or None beside it (a float that is not known yet)."""
    return float | None if value is None else type(value) | None
