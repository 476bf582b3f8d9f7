"""Paper trading: the market of a real venue, as it happens, and an account that exists in this process alone."""

from collections import deque
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Protocol

import msgspec

from app.domain.events import Fill, FundingPaid, InstrumentChanged, OrderRejected, StreamEvent
from app.domain.instrument import Instrument
from app.domain.margin import MarginMode
from app.domain.market import SECOND_NS, Bar, FundingRate, MarkPrice, Quote
from app.domain.money import ZERO
from app.domain.order import CONDITIONAL, Order, TriggerPrice
from app.domain.position import Position
from app.domain.price_sieve import is_sound
from app.domain.records import OrderRecord, StateSaved
from app.exchanges.matching import MatchingEngine, VenueState, rules_from
from app.ports.connection import Capabilities, Connection
from app.ports.journal import Journal, JournalFailed
from app.ports.market_data import MarketData
from app.settings.models import AccountSettings
from app.settings.simulated import SimulatedSettings

OWNER = "paper"
SAVE_EVERY_NS = 60 * SECOND_NS
MATCHED = (Quote, MarkPrice, FundingRate)
"""What orders are matched against. A candle is not: its low may be older than the order that it would fill."""


class LiveMarket(Connection, MarketData, Protocol):
    """Where the market comes from."""


class PaperExchange:
    """Implements all four ports. The account dies with the process, and comes back from the journal.

    What happens in the market while no bot runs does not reach the account: a stop is not triggered, no funding paid.
    """

    def __init__(
        self,
        market: LiveMarket,
        settings: SimulatedSettings,
        account: AccountSettings,
        journal: Journal,
        *,
        resumable: bool,
    ) -> None:
        self._market = market
        self._settings = settings
        self._account = account
        self._journal = journal
        self._resumable = resumable
        self._ready: deque[StreamEvent] = deque()
        self._saved_ns = 0
        self._engine: MatchingEngine | None = None

    # -- Connection ----------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """Real time; conditional orders rest here."""
        return Capabilities(
            name="paper",
            is_virtual=False,
            holds_trailing_stops=True,
            refuses_late_orders=True,
        )

    @property
    def ended(self) -> bool:
        """Never: the market goes on."""
        return False

    @property
    def now_ns(self) -> int:
        """The venue's clock."""
        return self._market.now_ns

    async def connect(self) -> None:
        """Listen to the market, and go on with the account where the journal says that it was."""
        await self._market.connect()
        settings = self._settings
        engine = self._engine = MatchingEngine(
            self._account.id,
            self._account.currency,
            {item.symbol: item for item in await self._market.instruments()},
            # The spread is the venue's own, and what is told of its prices comes too late to fill at.
            msgspec.structs.replace(rules_from(settings), spread_ticks=ZERO, fill_at_signal=False),
            Random(f"latency:{settings.seed}").random,  # noqa: S311 - a simulated network
            self._account.margin_mode,
            self._account.leverage,
        )
        saved = self._journal.state_of(OWNER) if self._resumable else None
        if saved is None:
            engine.deposit(settings.deposit, self.now_ns)
        else:
            engine.restore(msgspec.json.decode(saved, type=VenueState))

    async def close(self) -> None:
        """Save the account, and hang up."""
        if self._engine is not None:
            self._save()
        await self._market.close()

    def next_event(self) -> StreamEvent | None:
        """Return what became of requests, else what happens in the market."""
        if self._account_engine.outcomes and not self._ready:
            self._hand_out()
        if self._ready:
            return self._ready.popleft()
        event = self._market.next_event()
        if isinstance(event, InstrumentChanged):
            self._account_engine.list_anew(event.instrument)
        # What cannot be true is matched against nothing; the pump keeps it from the bot, as it does at every exchange.
        if not isinstance(event, MATCHED) or not is_sound(event):
            return event
        engine = self._account_engine
        engine.on_market(event)
        if engine.outcomes:
            self._hand_out()
            # What happened within the event comes before it.
            self._ready.append(event)
            return self._ready.popleft()
        if event.time_ns - self._saved_ns >= SAVE_EVERY_NS:
            self._save()
        return event

    async def wait(self) -> None:
        """Return when there may be an event."""
        if not self._ready and not self._account_engine.outcomes:
            await self._market.wait()

    def wake(self) -> None:
        """Have a ``wait`` that is under way return."""
        self._market.wake()

    # -- MarketData ----------------------------------------------------------------------------------------------

    async def instruments(self) -> tuple[Instrument, ...]:
        """Return what the venue lists."""
        return tuple(self._account_engine.instruments.values())

    async def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return up to ``count`` closed bars of the venue before now, oldest first."""
        return await self._market.history(symbol, interval_s, count)

    # -- AccountPort ---------------------------------------------------------------------------------------------

    async def balance(self) -> Decimal:
        """Return the wallet balance."""
        return self._account_engine.books.balance

    async def positions(self) -> tuple[Position, ...]:
        """Return all positions that are not flat."""
        return self._account_engine.books.positions

    async def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return the working orders."""
        return self._account_engine.open_orders()

    async def order(self, symbol: str, client_order_id: str) -> OrderRecord | None:
        """Return one order, working or ended; None when it is not known here."""
        del symbol
        return self._account_engine.order(client_order_id)

    async def fills_since(self, time_ns: int) -> tuple[Fill, ...]:
        """Return the fills at or after ``time_ns``."""
        return tuple(fill for fill in self._account_engine.fills if fill.time_ns >= time_ns)

    async def funding_since(self, time_ns: int) -> tuple[FundingPaid, ...]:
        """Return the settlements at or after ``time_ns``."""
        return tuple(paid for paid in self._account_engine.settlements if paid.time_ns >= time_ns)

    # -- OrderEntry ----------------------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        """Send an order."""
        if order.type in CONDITIONAL and order.trigger_by is TriggerPrice.LAST:
            why = "paper triggers by the mark price: the last price is known of candles only"
            self._ready.append(OrderRejected(order.client_order_id, order.symbol, self.now_ns, why))
        else:
            self._account_engine.submit(order)
        self._market.wake()

    def cancel(self, order: Order, reason: str) -> None:
        """Ask for what is left of an order to be canceled."""
        self._account_engine.cancel(order, reason)
        self._market.wake()

    async def configure(self, symbol: str, margin_mode: MarginMode, leverage: Decimal) -> None:
        """Set margin mode and leverage; here they are the account's."""
        del symbol
        self._account_engine.configure(margin_mode, leverage)

    # -- inside --------------------------------------------------------------------------------------------------

    @property
    def _account_engine(self) -> MatchingEngine:
        if self._engine is None:
            raise RuntimeError("connect() comes first")
        return self._engine

    def _hand_out(self) -> None:
        outcomes = self._account_engine.outcomes
        told = tuple(outcomes)
        # Saved with its outcomes: the bot may be killed before it has taken them in.
        self._save()
        outcomes.clear()
        self._ready.extend(told)

    def _save(self) -> None:
        if not self._resumable:
            return
        state = self._account_engine.state()
        self._saved_ns = state.time_ns
        with suppress(JournalFailed):
            # The bot watches the journal's failure; an exchange does not stop because its client cannot write.
            self._journal.append(StateSaved(OWNER, msgspec.json.encode(state), state.time_ns))
