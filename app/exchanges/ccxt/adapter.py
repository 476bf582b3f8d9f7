"""Trades at a venue: the four ports of an exchange over ccxt, REST and websockets."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import ccxt
import msgspec
from loguru import logger

from app.domain.errors import InvalidOrder
from app.domain.events import (
    AccountEvent,
    CancelRejected,
    Fill,
    FundingPaid,
    InstrumentChanged,
    OrderRejected,
    OrderUnknown,
    StreamEvent,
    StreamReset,
)
from app.domain.instrument import Instrument
from app.domain.margin import MarginMode
from app.domain.market import SECOND_NS, Bar
from app.domain.money import plain
from app.domain.order import CONDITIONAL, PRICED, TERMINAL, Order, Side, check_order
from app.domain.position import Position
from app.domain.records import OrderRecord
from app.exchanges.ccxt.account import CcxtAccount, door_of
from app.exchanges.ccxt.client import close_sockets
from app.exchanges.ccxt.dead_man import DeadManSwitch
from app.exchanges.ccxt.errors import HedgeModeRefused, VenueRefused
from app.exchanges.ccxt.fitness import Fitness
from app.exchanges.ccxt.guarded import MS
from app.exchanges.ccxt.limiter import Urgency
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.market import CcxtMarket, wall_ns
from app.exchanges.ccxt.order_facts import OrderFacts
from app.exchanges.ccxt.outcome import Outcome, classify, in_words, says
from app.exchanges.ccxt.translate import (
    NotHeldThere,
    Request,
    account_seen,
    answer_to,
    instrument_from,
    order_seen,
    request_from,
    venue_params,
)
from app.exchanges.ccxt.venues import AccountTold, Payload, UnreadableAnswer
from app.exchanges.ccxt.watch import Watch
from app.ports.connection import Capabilities, ExchangeUnavailable
from app.ports.examination import Finding
from app.settings.models import Settings

SETTLE_S = 0.5
"""After a socket is connected again until its subscription surely is: then what was missed can be asked for."""
FILLS_LATE_S = 1.0
"""How long fills may be behind the end of their order, before they are asked for."""
CLOCK_EVERY_S = 600.0
FUNDING_LOOK_S = 5.0
FUNDING_LATE_NS = 10 * SECOND_NS
"""How late a settlement may be booked (binance: seconds, 2026-11)."""
MARKET_CAP_RATIO = Decimal("0.05")
"""Distance from the mark of the price that a market order may not pass, where a venue wants one."""


class CcxtExchange:
    """Sends at once and never waits; what became of a request comes back on the stream."""

    def __init__(self, settings: Settings) -> None:
        given = settings.exchange.ccxt
        self._settings = given
        self._account = settings.account
        self._valid_s = settings.execution.request_valid_s
        symbols = sorted({symbol for item in settings.strategies.values() for symbol in item.symbols})
        self._market = CcxtMarket(given, symbols, valid_s=self._valid_s)
        self._venue = self._market.venue
        self._ids = self._venue.ids(settings.account.id)
        self._facts = OrderFacts()
        self._instruments: dict[str, Instrument] = {}
        self._client: Any = None
        self._strangers: set[str] = set()
        """Symbols of the account that are not configured, and were told of."""
        self._resetting = False
        self._dead_man: DeadManSwitch | None = None

    # -- Connection ----------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """Real time."""
        return self._market.capabilities

    @property
    def ended(self) -> bool:
        """Never: a venue goes on."""
        return False

    @property
    def now_ns(self) -> int:
        """The venue's clock."""
        return self._market.now_ns

    async def connect(self) -> None:
        """Load the markets, see that the account can be traded, and listen. Changes nothing at the venue.

        Raises:
            VenueRefused: The keys are missing or refused, the account is in hedge mode, a symbol is not listed.
            ExchangeUnavailable: The venue does not answer.
        """
        missing = [name for name in self._venue.credentials if getattr(self._settings, name) is None]
        if missing:
            keys = ", ".join(f"exchange.ccxt.{name}" for name in missing)
            raise VenueRefused(f"{self._venue.name} needs {keys}: give them by the environment or a secrets folder")
        await self._market.connect()
        self._client = self._market.open(with_keys=True)
        # Loaded without keys above: with keys some venues have a fee signed while they load.
        self._client.set_markets(list(self._market.client.markets.values()))
        self._market.on_listed = self._list_anew
        self._line = Line(self._venue.name, self._market.limiter, self._on_skew)
        self._tell_clock()
        symbols = self._market.symbols
        self._reader = CcxtAccount(
            self._client, self._line, self._venue, self._ids, self._facts, self._account, lambda: self.now_ns
        )
        if await self._reader.is_hedged(symbols[0] if symbols else None):
            raise HedgeModeRefused(self._venue.name)
        self._tiers = await self._reader.margin_tiers(symbols)
        for symbol, tiers in self._tiers.items():
            self._instruments[symbol] = instrument_from(self._client.markets[symbol], tiers, self._venue)
        self._reader.instruments = self._instruments
        if self._settings.dead_man_s is not None:
            if not self._venue.dead_man:
                raise VenueRefused(f"{self._venue.name} has no dead-man switch here: unset exchange.ccxt.dead_man_s")
            self._dead_man = DeadManSwitch(self._client, self._line, symbols, self._settings.dead_man_s)
        self._listen()

    async def close(self) -> None:
        """Release everything. What is on its way stays unknown, and is asked for at the next start."""
        if self._dead_man is not None:
            dead_man, self._dead_man = self._dead_man, None
            await dead_man.disarm()
        await self._market.close()

    def next_event(self) -> StreamEvent | None:
        """Return the next event of the stream."""
        if self._dead_man is not None:
            self._dead_man.progress()
        return self._market.next_event()

    async def wait(self) -> None:
        """Return when there may be an event."""
        await self._market.wait()

    def wake(self) -> None:
        """Have a ``wait`` that is under way return."""
        self._market.wake()

    # -- MarketData ----------------------------------------------------------------------------------------------

    async def instruments(self) -> tuple[Instrument, ...]:
        """Return the instruments of the configured symbols, with the account's margin table."""
        return tuple(self._instruments.values())

    async def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return up to ``count`` closed bars before now, oldest first."""
        return await self._market.history(symbol, interval_s, count)

    # -- AccountPort ---------------------------------------------------------------------------------------------

    async def balance(self) -> Decimal:
        """Return the wallet balance, without unrealized PnL."""
        return await self._reader.balance()

    async def positions(self) -> tuple[Position, ...]:
        """Return all positions that are not flat, of the configured symbols."""
        return await self._reader.positions()

    async def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return all working orders of the configured symbols, foreign ones included."""
        return await self._reader.open_orders()

    async def order(self, symbol: str, client_order_id: str) -> OrderRecord | None:
        """Return one order, working or ended; None when the venue definitely does not know it."""
        return await self._reader.order(symbol, client_order_id)

    async def fills_since(self, time_ns: int) -> tuple[Fill, ...]:
        """Return the fills at or after ``time_ns``, oldest first."""
        return await self._reader.fills_since(time_ns)

    async def funding_since(self, time_ns: int) -> tuple[FundingPaid, ...]:
        """Return the funding settlements of our positions at or after ``time_ns``, oldest first."""
        return await self._reader.funding_since(time_ns)

    async def examine(self) -> tuple[Finding, ...]:
        """Return what must be known before money is risked here; once connected."""
        fitness = Fitness(self._settings, self._account, self._market, self._reader, self._client, self._line)
        return await fitness.examine()

    # -- OrderEntry ----------------------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        """Send an order. What cannot be sent as it is, is refused here: nothing is rounded on its way."""
        self._facts.sent(order)
        if self._needs_cap(order) and order.trigger_price is None and self._market.fresh_quote(order.symbol) is None:
            self._market.spawn(self._ask_price(order), f"price for {order.client_order_id}")
        else:
            self._submit(order)

    async def _ask_price(self, order: Order) -> None:
        """Ask what the market trades at before an order that is bound by it: an exit never waits for a stream."""
        try:
            await self._market.ask_quote(order.symbol, _urgency(order))
        except (ExchangeUnavailable, VenueRefused) as error:
            self._put(self._facts.end(self._rejected(order, f"not sent: what it trades at is not known: {error}")))
            return
        self._submit(order)

    def _submit(self, order: Order) -> None:
        try:
            request = self._request(order)
        except (InvalidOrder, NotHeldThere, ValueError, ccxt.BaseError) as error:
            self._put(self._facts.end(self._rejected(order, str(error))))
            return
        if not order.reduce_only and (why := self._no_growth()):
            self._put(self._facts.end(self._rejected(order, why)))
            return
        self._market.spawn(self._send(order, request), f"send {order.client_order_id}")

    def cancel(self, order: Order, reason: str) -> None:
        """Ask for what is left of an order to be canceled."""
        del reason
        self._market.spawn(self._cancel(order), f"cancel {order.client_order_id}")

    async def configure(self, symbol: str, margin_mode: MarginMode, leverage: Decimal) -> None:
        """Set margin mode and leverage of a symbol; already set is success.

        Raises:
            VenueRefused: The venue will not.
            ExchangeUnavailable: Nobody knows whether it did.
        """
        if leverage != int(leverage):
            raise VenueRefused(f"venues take whole numbers as leverage, and account.leverage is {leverage}")
        together = {"marginMode": margin_mode.value} if self._venue.mode_with_leverage else {}
        steps = [(f"leverage {leverage}", lambda: self._client.set_leverage(int(leverage), symbol, together))]
        if not together:
            steps.insert(
                0, (f"margin mode {margin_mode}", lambda: self._client.set_margin_mode(margin_mode.value, symbol))
            )
        for what, ask in steps:
            try:
                await self._line.write(Urgency.READ, ask)
            except (ccxt.MarginModeAlreadySet, ccxt.NoChange):
                continue
            except ccxt.BaseError as error:
                if says(error, self._venue.already_set_codes):
                    continue
                if classify(error, wrote=True) is Outcome.UNKNOWN:
                    raise ExchangeUnavailable(f"{self._venue.name}: {in_words(error)}") from None
                raise VenueRefused(f"{self._venue.name} does not set {what} of {symbol}: {in_words(error)}") from None

    def _list_anew(self) -> None:
        """Take over the instruments whose tick is another, now that the markets were read again."""
        self._client.set_markets(list(self._market.client.markets.values()))
        for symbol, tiers in self._tiers.items():
            instrument = instrument_from(self._client.markets[symbol], tiers, self._venue)
            if instrument.tick_size > self._instruments[symbol].tick_size:
                self._instruments[symbol] = instrument
                self._market.queue.put(InstrumentChanged(instrument, self.now_ns))

    # -- sending -------------------------------------------------------------------------------------------------

    def _request(self, order: Order) -> Request:
        """Return what is sent for an order.

        Raises:
            InvalidOrder: It is off the tick or the lot, or too small.
            NotHeldThere: The venue has no such order.
            ValueError: ccxt would send another price or size.
        """
        instrument = self._instruments.get(order.symbol)
        if instrument is None:
            raise NotHeldThere(f"{order.symbol} is not one of the configured symbols")
        check_order(order, instrument)
        price = order.price or order.trigger_price
        if not order.reduce_only and price is not None:
            notional = instrument.notional(order.contracts, price)
            if notional < instrument.notional_min:
                raise InvalidOrder("notional_min", f"notional {notional} is below {instrument.notional_min}")
        cap = None
        if self._needs_cap(order):
            cap = self._cap(order)
        request = request_from(order, self._venue, self._ids, int(self._valid_s * MS), cap)
        client = self._client
        if Decimal(client.amount_to_precision(order.symbol, request.amount)) != order.contracts:
            raise ValueError(f"the library would send another size than {request.amount}")
        for text in (request.price, request.params.get("stopLossPrice"), request.params.get("takeProfitPrice")):
            if text is not None and Decimal(client.price_to_precision(order.symbol, text)) != Decimal(text):
                raise ValueError(f"the library would send another price than {text}")
        return request

    def _no_growth(self) -> str:
        """Return why nothing that grows may leave now; nothing when it may. What reduces waits, and goes."""
        if self._market.limiter.banned_s:
            return f"not sent: banned for {self._market.limiter.banned_s:.0f} s"
        return "not sent: nobody listens to the account until its stream is back" if self._resetting else ""

    def _needs_cap(self, order: Order) -> bool:
        return self._venue.market_needs_price and order.type not in PRICED

    def _cap(self, order: Order) -> Decimal:
        """Return the price that a market order may not pass; one that waits goes off at its own trigger."""
        best = order.trigger_price
        if best is None:
            quote = self._market.fresh_quote(order.symbol)
            if quote is None:
                raise NotHeldThere("a market order needs a price here, and one side of the book is empty")
            best = quote.ask if order.side is Side.BUY else quote.bid
        cap = best * (1 + order.side.sign * MARKET_CAP_RATIO)
        return Decimal(self._client.price_to_precision(order.symbol, plain(cap)))

    async def _send(self, order: Order, request: Request) -> None:
        try:
            await self._market.limiter.turn(_urgency(order))
        except ExchangeUnavailable as error:
            self._put(self._facts.end(self._rejected(order, f"not sent: {error}")))
            return
        if wall_ns() - order.created_ns > self._valid_s * SECOND_NS:
            # Whoever asks for it may have concluded that it is not there: from now on it must not be.
            self._put(self._facts.end(self._rejected(order, "not sent: it waited too long for its turn")))
            return
        try:
            answer = await self._client.create_order(
                request.symbol, request.type, request.side, request.amount, request.price, dict(request.params)
            )
            self._see(answer_to(order, request, answer), order)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the order may exist
            self._put(self._facts.end(self._ending(order, error)))

    def _ending(self, order: Order, error: Exception) -> OrderRejected | OrderUnknown:
        if isinstance(error, ccxt.BaseError):
            self._line.note(error)
        outcome = classify(error, wrote=True, duplicate_codes=self._venue.duplicate_codes)
        if outcome is Outcome.FATAL:
            self._market.refuse(error)
        if outcome in {Outcome.REJECTED, Outcome.FATAL}:
            return self._rejected(order, in_words(error))
        return OrderUnknown(order.client_order_id, order.symbol, self.now_ns, in_words(error))

    async def _cancel(self, order: Order) -> None:
        cid, symbol = order.client_order_id, order.symbol
        why = await self._ask_to_cancel(order)
        # Asked in any case: a cancel that succeeded may be answered before the order's end is told, or never.
        try:
            record = await self._reader.order(symbol, cid)
            if record is not None and record.status not in TERMINAL and why and self._facts.became(cid) is not None:
                # It was triggered before we knew: what it has become is canceled by another name.
                why = await self._ask_to_cancel(order)
                record = await self._reader.order(symbol, cid)
        except Exception as error:  # noqa: BLE001 - whatever it raised, the order may work on
            why, record = in_words(error), None
        if record is not None:
            self._see_record(record)
        if record is None or record.status not in TERMINAL:
            self._put([CancelRejected(cid, symbol, self.now_ns, why or "the venue does not say that it is canceled")])

    async def _ask_to_cancel(self, order: Order) -> str:
        """Send a cancel; return what went wrong, nothing if nothing did. The order's own state decides."""
        became = self._facts.became(order.client_order_id)
        apart = self._venue.conditional_apart and order.type in CONDITIONAL and became is None
        number, params = (became, {}) if became is not None else venue_params(order.client_order_id, self._ids)
        params |= door_of(conditional=apart)
        try:
            await self._line.write(Urgency.CANCEL, lambda: self._client.cancel_order(number, order.symbol, params))
        except Exception as error:  # noqa: BLE001 - as above
            return in_words(error)
        return ""

    # -- the account's streams -----------------------------------------------------------------------------------

    def _listen(self) -> None:
        streams = [
            ("my trades", self._client.watch_my_trades, self._take_trades),
            ("my orders", self._client.watch_orders, self._take_orders),
        ]
        if (read := self._venue.account_told) is not None:
            streams.append(("my account", self._client.watch_balance, partial(self._take_account, read)))
        for name, ask, take in streams:
            watch = Watch(
                name,
                ask,
                take,
                silence_s_max=None,  # an account that does nothing is silent: pings find a dead socket
                room=self._market.queue.room,
                on_break=self._on_break,
                on_fatal=self._market.refuse,
            )
            self._market.spawn(watch.run(), name)
        self._market.spawn(self._renew(), "renew")
        self._market.spawn(self._follow_funding(), "funding")
        if self._dead_man is not None:
            self._market.spawn(self._dead_man.run(), "dead man")
        self._market.spawn(self._keep_clock(), "clock")

    async def _on_break(self, watch: Watch, why: str) -> None:
        logger.bind(stream=watch.name).warning(f"the account's stream broke: {why}")
        self._reset_soon(why)

    def _reset_soon(self, why: str) -> None:
        """Have everything compared as soon as the account is listened to again."""
        if not self._resetting:
            self._resetting = True
            self._market.spawn(self._reset(why), "reset")

    async def _reset(self, why: str) -> None:
        # Compared at once, and again when somebody listens; until then nothing leaves that grows.
        self._put([StreamReset(self.now_ns, why)])
        while True:
            await asyncio.sleep(SETTLE_S)
            sockets = [client for url, client in self._client.clients.items() if "://" in url]
            if sockets and all(client.connected.done() and client.isConnected for client in sockets):
                break
        await asyncio.sleep(SETTLE_S)
        self._resetting = False
        self._put([StreamReset(self.now_ns, f"back after: {why}")])

    async def _renew(self) -> None:
        """Open the account's stream anew before its key expires: that one has expired, no venue says aloud."""
        while True:
            await asyncio.sleep(self._settings.key_refresh_s)
            for options in self._client.options.values():
                if isinstance(options, dict) and "lastAuthenticatedTime" in options:
                    options["lastAuthenticatedTime"] = 0
            await close_sockets(self._client, "renewed before its key expires")

    async def _follow_funding(self) -> None:
        """Ask what was paid, after each settlement: streams of venues differ in how they tell it, or do not."""
        while True:
            await asyncio.sleep(FUNDING_LOOK_S)
            settled = {
                symbol: settles_ns
                for symbol, settles_ns in self._market.settles_ns.items()
                if self.now_ns > settles_ns + FUNDING_LATE_NS
            }
            if not settled:
                continue
            try:
                self._put(await self._reader.funding_since(min(settled.values()) - FUNDING_LATE_NS))
            except ExchangeUnavailable as error:
                logger.warning(f"what funding came to cannot be read yet: {error}")
                continue
            for symbol in settled:
                # The next is told with the next rates.
                del self._market.settles_ns[symbol]

    async def _keep_clock(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_EVERY_S)
            await self._compare_clocks()

    def _on_skew(self) -> None:
        self._market.spawn(self._compare_clocks(), "clock")

    async def _compare_clocks(self) -> None:
        try:
            await self._market.measure_clock()
        except ExchangeUnavailable as error:
            logger.warning(f"the venue's clock cannot be read: {error}")
        self._tell_clock()

    def _tell_clock(self) -> None:
        # ccxt takes it off the machine's time when it stamps a request.
        self._client.options["timeDifference"] = round(-self._market.offset_s * MS)

    def _take_orders(self, orders: Sequence[dict[str, Any]]) -> None:
        for payload in self._traded_here(orders):
            became = (payload.get("info") or {}).get("ai")
            if became:
                # A conditional order was triggered: what it has become may go by another client order id.
                self._facts.note_trigger(self._ids.from_venue(str(payload["clientOrderId"])), str(became))
            self._see(payload)

    def _take_trades(self, trades: Sequence[dict[str, Any]]) -> None:
        for trade in self._traded_here(trades):
            self._put(self._facts.fill(self._reader.fill(trade)))

    def _take_account(self, read: Callable[[Payload, str], AccountTold], balance: dict[str, Any]) -> None:
        names = {self._client.markets[symbol][self._venue.name_key]: symbol for symbol in self._instruments}
        self._market.queue.put(account_seen(read(balance["info"], self._account.currency), names))

    def _traded_here(self, told: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield what is told of the configured symbols; the streams tell the whole account."""
        for payload in told:
            symbol = payload.get("symbol")
            # One that is missing makes the answer unreadable: whoever reads it says so.
            if symbol is None or symbol in self._instruments:
                yield payload
            elif symbol not in self._strangers:
                self._strangers.add(symbol)
                logger.bind(symbol=symbol).warning("the account trades a symbol that is not configured: left alone")

    # -- facts ---------------------------------------------------------------------------------------------------

    def _see(self, payload: dict[str, Any], order: Order | None = None) -> None:
        seen = order_seen(payload, self._venue, self._ids, self.now_ns)
        known = self._facts.client_id_of(seen.venue_order_id)
        if known is not None:
            seen = msgspec.structs.replace(seen, client_order_id=known)
        if order is not None and seen.client_order_id != order.client_order_id:
            raise UnreadableAnswer(f"asked for {order.client_order_id}, answered for {seen.client_order_id}")
        events = self._facts.see(seen)
        self._put(events)
        if self._facts.lacks_fills(seen.client_order_id):
            self._market.spawn(self._await_fills(seen.client_order_id), "fills")

    def _see_record(self, record: OrderRecord) -> None:
        self._put(self._facts.see_record(record, self.now_ns))
        if self._facts.lacks_fills(record.order.client_order_id):
            self._market.spawn(self._await_fills(record.order.client_order_id), "fills")

    async def _await_fills(self, client_order_id: str) -> None:
        """Give the fills of an order time to come; then have them asked for."""
        await asyncio.sleep(FILLS_LATE_S)
        if self._facts.lacks_fills(client_order_id):
            self._put([StreamReset(self.now_ns, f"fills of {client_order_id} did not come")])
            self._put(self._facts.give_up(client_order_id))

    def _rejected(self, order: Order, why: str) -> OrderRejected:
        return OrderRejected(order.client_order_id, order.symbol, self.now_ns, why)

    def _put(self, events: Sequence[AccountEvent | StreamReset]) -> None:
        for event in events:
            self._market.queue.put(event)


def _urgency(order: Order) -> Urgency:
    return Urgency.REDUCE if order.reduce_only else Urgency.GROW
