"""The embedded exchange: generated or recorded market data, matched against one account, at any speed."""

import asyncio
from collections import deque
from contextlib import suppress
from decimal import Decimal
from random import Random
from time import perf_counter

import msgspec
from loguru import logger

from app.domain.events import Fill, FundingPaid, StreamEvent
from app.domain.instrument import Instrument
from app.domain.margin import MarginMode
from app.domain.market import SECOND_NS, Bar, MarketEvent, MarkPrice
from app.domain.order import Order
from app.domain.position import Position
from app.domain.records import OrderRecord, StateSaved
from app.domain.times import parse_iso
from app.exchanges.matching import MatchingEngine, VenueState, rules_from
from app.exchanges.simulated.errors import OtherMarket
from app.exchanges.simulated.generator import Generator
from app.exchanges.simulated.merged import MergedMarket
from app.exchanges.simulated.recorded import open_recorded
from app.exchanges.simulated.source import MarketSource
from app.exchanges.simulated.translate import instrument_from
from app.ports.connection import Capabilities
from app.ports.journal import Journal, JournalFailed
from app.settings.models import AccountSettings
from app.settings.simulated import SimulatedSettings

OWNER = "exchange"
WAIT_S_MAX = 0.05
"""Longest sleep between looks at the clock: a request made meanwhile is answered within it."""
SAVE_EVERY_NS = 60 * SECOND_NS


class _Memory(msgspec.Struct):
    """The exchange's memory: it has none but what the journal keeps for it."""

    venue: VenueState
    source: bytes
    random: tuple[int, tuple[int, ...], float | None]
    ready: tuple[StreamEvent, ...]
    waiting: MarketEvent | None


class SimulatedExchange:
    """Implements all four ports of an exchange. It dies with the process, and comes back from the journal."""

    def __init__(
        self, settings: SimulatedSettings, account: AccountSettings, journal: Journal, *, resumable: bool
    ) -> None:
        self._settings = settings
        self._account = account
        self._journal = journal
        self._resumable = resumable
        self._instruments = {item.symbol: instrument_from(item) for item in settings.instruments}
        self._random = Random(f"latency:{settings.seed}")  # noqa: S311 - a simulated network
        self._engine = MatchingEngine(
            account.id,
            account.currency,
            self._instruments,
            rules_from(settings),
            self._random.random,
            account.margin_mode,
            account.leverage,
        )
        self._end_ns: int | None = None
        self._waiting: MarketEvent | None = None
        self._used_up = False
        self._paced = True
        """Whether an event may have to wait. At the highest speed none does, once the first has set the anchor."""
        self._ready: deque[StreamEvent] = deque()
        self._saved_ns = 0
        self._anchor: tuple[float, int] | None = None
        self._requested = asyncio.Event()
        self._awaited = False
        """Whether somebody waits for the next request: while events flow, nobody does."""
        self.data_ends_ns: int | None = None
        """When recorded data is over; None before it is opened, and for a generated market."""
        self.data_noticed: dict[str, str] = {}
        """What was noticed in the recorded data of each symbol, in words for people; empty as above."""

    # -- Connection ----------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """Virtual time; conditional orders rest here."""
        return Capabilities(
            name="simulated",
            is_virtual=True,
            holds_trailing_stops=True,
            refuses_late_orders=True,
        )

    @property
    def ended(self) -> bool:
        """Whether the data is used up, and everything that came of it has been handed out."""
        return self._used_up and not self._engine.outcomes and not self._ready

    @property
    def now_ns(self) -> int:
        """Time of the last market event, or before the first the time at which the data begins."""
        return self._engine.time_ns or self._source.start_ns

    async def connect(self) -> None:
        """Open the data, and go on where the journal says that we were.

        Raises:
            BadDataFile: A file cannot be used.
            OtherMarket: Where we were is not in this market.
        """
        self._source = self._open_source()
        saved = self._journal.state_of(OWNER) if self._resumable else None
        if saved is None:
            self._engine.deposit(self._settings.deposit, self._source.start_ns)
            self._market = self._source.events
            return
        memory = msgspec.json.decode(saved, type=_Memory)
        self._engine.restore(memory.venue)
        try:
            self._source.restore(memory.source)
        except msgspec.MsgspecError as error:
            raise OtherMarket from error
        self._market = self._source.events
        self._random.setstate(memory.random)
        waiting = memory.waiting
        self._waiting = waiting if waiting is not None and waiting.symbol in self._instruments else None
        # What is of a symbol that is not listed any more, nobody here knows.
        self._ready = deque(
            event for event in memory.ready if getattr(event, "symbol", None) in {None, *self._instruments}
        )

    async def close(self) -> None:
        """Save where we are."""
        if self._anchor is not None:
            self._save()

    def next_event(self) -> StreamEvent | None:
        """Return what became of requests, else the next market event once its time has come."""
        engine = self._engine
        ready = self._ready
        if engine.outcomes and not ready:
            self._hand_out()
        if ready:
            return ready.popleft()
        event = next(self._market, None) if self._waiting is None else self._waiting
        if event is None:
            if self._used_up:
                return None
            self._end()
            return self.next_event()
        if self._paced:
            self._waiting = event
            if not self._is_due(event.time_ns):
                return None
            self._waiting = None
        if type(event) is MarkPrice:
            self._meet_mark(event)
        else:
            engine.on_market(event)
        if engine.outcomes or (self._resumable and event.time_ns - self._saved_ns >= SAVE_EVERY_NS):
            # What happened within the event comes before it.
            self._hand_out(event)
            return ready.popleft()
        return event

    async def wait(self) -> None:
        """Return when the next event may be due, or a request was made."""
        self._requested.clear()
        if self._engine.outcomes or self._ready:
            return
        delay = WAIT_S_MAX
        if self._waiting is not None and self._anchor is not None and self._settings.speed:
            wall, virtual_ns = self._anchor
            due = wall + (self._waiting.time_ns - virtual_ns) / SECOND_NS / self._settings.speed
            delay = min(WAIT_S_MAX, max(0.0, due - perf_counter()))
        self._awaited = True
        try:
            async with asyncio.timeout(delay):
                await self._requested.wait()
        except TimeoutError:
            return
        finally:
            self._awaited = False

    def wake(self) -> None:
        """Have a ``wait`` that is under way return."""
        self._requested.set()

    # -- MarketData ----------------------------------------------------------------------------------------------

    async def instruments(self) -> tuple[Instrument, ...]:
        """Return all that is listed."""
        return tuple(self._instruments.values())

    async def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return up to ``count`` closed bars before now, oldest first."""
        return self._source.history(symbol, interval_s, count)

    # -- AccountPort ---------------------------------------------------------------------------------------------

    async def balance(self) -> Decimal:
        """Return the wallet balance."""
        return self._engine.books.balance

    async def positions(self) -> tuple[Position, ...]:
        """Return all positions that are not flat."""
        return self._engine.books.positions

    async def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return the working orders."""
        return self._engine.open_orders()

    async def order(self, symbol: str, client_order_id: str) -> OrderRecord | None:
        """Return one order, working or ended; None when it is not known here."""
        del symbol
        return self._engine.order(client_order_id)

    async def fills_since(self, time_ns: int) -> tuple[Fill, ...]:
        """Return the fills at or after ``time_ns``."""
        return tuple(fill for fill in self._engine.fills if fill.time_ns >= time_ns)

    async def funding_since(self, time_ns: int) -> tuple[FundingPaid, ...]:
        """Return the settlements at or after ``time_ns``."""
        return tuple(paid for paid in self._engine.settlements if paid.time_ns >= time_ns)

    # -- OrderEntry ----------------------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        """Send an order."""
        self._engine.submit(order)
        if self._used_up or self._awaited:
            self._after_request()

    def cancel(self, order: Order, reason: str) -> None:
        """Ask for what is left of an order to be canceled."""
        self._engine.cancel(order, reason)
        self._after_request()

    async def configure(self, symbol: str, margin_mode: MarginMode, leverage: Decimal) -> None:
        """Set margin mode and leverage; here they are the account's."""
        del symbol
        self._engine.configure(margin_mode, leverage)

    # -- inside --------------------------------------------------------------------------------------------------

    def _open_source(self) -> MarketSource:
        settings = self._settings
        if not settings.data:
            listed = [(self._instruments[i.symbol], i.price_start, i.volatility_ratio) for i in settings.instruments]
            return Generator(listed, settings.seed, parse_iso(settings.start), settings.step_s)
        markets = [open_recorded(settings, data) for data in settings.data]
        for market in markets:
            report = market.report
            level = "WARNING" if report.gaps or report.without_mark else "INFO"
            logger.bind(symbol=market.symbol).log(level, f"recorded data: {report}")
            self.data_noticed[market.symbol] = str(report)
        self.data_ends_ns = max(market.extent[1] for market in markets)
        return markets[0] if len(markets) == 1 else MergedMarket(markets)

    def _is_due(self, time_ns: int) -> bool:
        if self._anchor is None:
            self._anchor = (perf_counter(), time_ns)
            if self._settings.duration_s is not None:
                self._end_ns = time_ns + int(self._settings.duration_s * SECOND_NS)
            self._paced = self._settings.speed > 0 or self._end_ns is not None
        if self._end_ns is not None and time_ns > self._end_ns:
            self._end()
            return False
        if not self._settings.speed:
            return True
        wall, virtual_ns = self._anchor
        return (time_ns - virtual_ns) / SECOND_NS <= (perf_counter() - wall) * self._settings.speed

    def _meet_mark(self, mark: MarkPrice) -> None:
        """Let the account meet a mark, with the whole range of its bar where that is known."""
        found = self._source.mark_range(mark)
        if found is None:
            self._engine.on_market(mark)
        else:
            prices, known = found
            self._engine.on_mark_range(mark.symbol, prices, mark.time_ns, known=known)

    def _hand_out(self, behind: MarketEvent | None = None) -> None:
        """Make what came of requests ready, with an event behind it, and save."""
        ready, outcomes = self._ready, self._engine.outcomes
        ready.extend(outcomes)
        outcomes.clear()
        if behind is not None:
            ready.append(behind)
        if self._resumable:
            self._save()

    def _end(self) -> None:
        """Note that no market event will come any more; what is on its way arrives now."""
        self._used_up = True
        self._waiting, self._market = None, iter(())
        self._engine.end_market()

    def _after_request(self) -> None:
        if self._used_up:
            self._engine.settle_pending()
        if self._awaited:
            self._requested.set()

    def _save(self) -> None:
        """Save before anything new is handed out: the journal knows at least as much as the bot will."""
        if not self._resumable:
            return
        self._saved_ns = self._engine.time_ns
        memory = _Memory(
            self._engine.state(), self._source.state(), self._random.getstate(), tuple(self._ready), self._waiting
        )
        with suppress(JournalFailed):
            # The bot watches the journal's failure; an exchange does not stop because its client cannot write.
            self._journal.append(StateSaved(OWNER, msgspec.json.encode(memory), self._engine.time_ns))
