"""Sends orders, cancels and settings of the account. What became of an order comes back on the stream."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import ccxt

from app.domain.errors import InvalidOrder
from app.domain.events import CancelRejected, OrderRejected, OrderUnknown
from app.domain.instrument import Instrument
from app.domain.margin import MarginMode
from app.domain.money import plain
from app.domain.order import CONDITIONAL, PRICED, TERMINAL, Order, Side, check_order
from app.exchanges.ccxt.account import CcxtAccount, door_of
from app.exchanges.ccxt.account_feed import AccountFeed
from app.exchanges.ccxt.client_ids import ClientIds
from app.exchanges.ccxt.errors import VenueRefused
from app.exchanges.ccxt.guarded import MS
from app.exchanges.ccxt.limiter import NotSent, Urgency
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.market_streams import MarketStreams
from app.exchanges.ccxt.orders import NotHeldThere, Request, answer_to, request_from, venue_params
from app.exchanges.ccxt.outcome import Outcome, classify, in_words, says
from app.exchanges.ccxt.session import Session
from app.lifecycle.deadlines import now_s
from app.ports.connection import ExchangeUnavailable

MARKET_CAP_RATIO = Decimal("0.05")
"""Distance from the mark of the price that a market order may not pass, where a venue wants one."""


class OrderSender:
    """Sends at once and never waits."""

    def __init__(
        self,
        session: Session,
        line: Line,
        ids: ClientIds,
        feed: AccountFeed,
        reader: CcxtAccount,
        streams: MarketStreams,
    ) -> None:
        """Send nothing yet.

        Args:
            session: With the venue.
            line: With keys.
            ids: Turns client order ids into the venue's.
            feed: Where answers are taken in, and what is known of orders.
            reader: Where an order is asked for.
            streams: Where the market is seen.
        """
        self._session = session
        self._venue = session.venue
        self._client = line.client
        self._line = line
        self._ids = ids
        self._feed = feed
        self._reader = reader
        self._streams = streams

    @property
    def _instruments(self) -> Mapping[str, Instrument]:
        return self._reader.instruments

    def submit(self, order: Order) -> None:
        """Send an order. What cannot be sent as it is, is refused here: nothing is rounded on its way."""
        self._feed.sent(order)
        late_s = now_s() + self._session.valid_s
        if self._needs_cap(order) and order.trigger_price is None and self._streams.fresh_quote(order.symbol) is None:
            self._session.spawn(self._ask_price(order, late_s), f"price for {order.client_order_id}")
        else:
            self._submit(order, late_s)

    async def _ask_price(self, order: Order, late_s: float) -> None:
        """Ask what the market trades at before an order that is bound by it: an exit never waits for a stream."""
        try:
            await self._streams.ask_quote(order.symbol, _urgency(order))
        except (ExchangeUnavailable, VenueRefused) as error:
            self._reject(order, f"not sent: what it trades at is not known: {error}")
            return
        self._submit(order, late_s)

    def _submit(self, order: Order, late_s: float) -> None:
        try:
            request = self._request(order)
        except (InvalidOrder, NotHeldThere, ValueError) as error:
            self._reject(order, str(error))
            return
        except Exception as error:  # noqa: BLE001 - whatever it raises, nothing was sent
            self._reject(order, f"not sent: {in_words(error)}")
            return
        if not order.reduce_only and (why := self._no_growth()):
            self._reject(order, why)
            return
        self._session.spawn(self._send(order, request, late_s), f"send {order.client_order_id}")

    def cancel(self, order: Order) -> None:
        """Ask for what is left of an order to be canceled."""
        self._session.spawn(self._cancel(order), f"cancel {order.client_order_id}")

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

    # -- inside --------------------------------------------------------------------------------------------------

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
        request = request_from(order, self._venue, self._ids, int(self._session.valid_s * MS), cap)
        client = self._client
        if Decimal(client.amount_to_precision(order.symbol, request.amount)) != order.contracts:
            raise ValueError(f"the library would send another size than {request.amount}")
        for text in (request.price, request.params.get("stopLossPrice"), request.params.get("takeProfitPrice")):
            if text is not None and Decimal(client.price_to_precision(order.symbol, text)) != Decimal(text):
                raise ValueError(f"the library would send another price than {text}")
        return request

    def _no_growth(self) -> str:
        """Return why nothing that grows may leave now; nothing when it may. What reduces waits, and goes."""
        if self._line.banned_s:
            return f"not sent: banned for {self._line.banned_s:.0f} s"
        return "not sent: nobody listens to the account until its stream is back" if self._feed.is_deaf else ""

    def _needs_cap(self, order: Order) -> bool:
        return self._venue.market_needs_price and order.type not in PRICED

    def _cap(self, order: Order) -> Decimal:
        """Return the price that a market order may not pass; one that waits goes off at its own trigger."""
        best = order.trigger_price
        if best is None:
            quote = self._streams.fresh_quote(order.symbol)
            if quote is None:
                raise NotHeldThere("a market order needs a price here, and one side of the book is empty")
            best = quote.ask if order.side is Side.BUY else quote.bid
        cap = best * (1 + order.side.sign * MARKET_CAP_RATIO)
        return Decimal(self._client.price_to_precision(order.symbol, plain(cap)))

    async def _send(self, order: Order, request: Request, late_s: float) -> None:
        async def create() -> Any:  # noqa: ANN401 - ccxt has no types
            if now_s() > late_s:
                # Whoever asks for it may have concluded that it is not there: from now on it must not be.
                raise NotSent("it waited too long for its turn")
            return await self._client.create_order(
                request.symbol, request.type, request.side, request.amount, request.price, dict(request.params)
            )

        try:
            answer = await self._line.write(_urgency(order), create)
            self._feed.see(answer_to(order, request, answer), order)
        except NotSent as error:
            self._reject(order, f"not sent: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it raises, the order may exist
            self._end(order, error)

    def _end(self, order: Order, error: Exception) -> None:
        outcome = classify(error, wrote=True, duplicate_codes=self._venue.duplicate_codes)
        if outcome is Outcome.FATAL:
            self._session.refuse(error)
        if outcome in {Outcome.REJECTED, Outcome.FATAL}:
            self._reject(order, in_words(error))
        else:
            self._feed.end(OrderUnknown(order.client_order_id, order.symbol, self._session.now_ns, in_words(error)))

    async def _cancel(self, order: Order) -> None:
        cid, symbol = order.client_order_id, order.symbol
        why = await self._ask_to_cancel(order)
        # Asked in any case: a cancel that succeeded may be answered before the order's end is told, or never.
        try:
            record = await self._reader.order(symbol, cid)
            if record is not None and record.status not in TERMINAL and why and self._feed.became(cid) is not None:
                # It was triggered before we knew: what it has become is canceled by another name.
                why = await self._ask_to_cancel(order)
                record = await self._reader.order(symbol, cid)
        except Exception as error:  # noqa: BLE001 - whatever it raised, the order may work on
            why, record = in_words(error), None
        if record is not None:
            self._feed.see_record(record)
        if record is None or record.status not in TERMINAL:
            why = why or "the venue does not say that it is canceled"
            self._feed.put([CancelRejected(cid, symbol, self._session.now_ns, why)])

    async def _ask_to_cancel(self, order: Order) -> str:
        """Send a cancel; return what went wrong, nothing if nothing did. The order's own state decides."""
        became = self._feed.became(order.client_order_id)
        apart = self._venue.conditional_apart and order.type in CONDITIONAL and became is None
        number, params = (became, {}) if became is not None else venue_params(order.client_order_id, self._ids)
        params |= door_of(conditional=apart)
        try:
            await self._line.write(Urgency.CANCEL, lambda: self._client.cancel_order(number, order.symbol, params))
        except Exception as error:  # noqa: BLE001 - as above
            return in_words(error)
        return ""

    def _reject(self, order: Order, why: str) -> None:
        self._feed.end(OrderRejected(order.client_order_id, order.symbol, self._session.now_ns, why))


def _urgency(order: Order) -> Urgency:
    return Urgency.REDUCE if order.reduce_only else Urgency.GROW
