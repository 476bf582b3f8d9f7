"""The matching engine: a venue for one account, driven by market events alone. Pure."""

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from app.domain.events import (
    AccountEvent,
    CancelRejected,
    Fill,
    FundingPaid,
    Liquidity,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
)
from app.domain.instrument import Instrument, listed_anew
from app.domain.margin import MarginMode
from app.domain.market import Bar, FundingRate, MarketEvent, MarkPrice, Quote, Trade
from app.domain.money import ZERO, to_ledger
from app.domain.order import Order, OrderStatus, OrderType, Side, TimeInForce, TriggerPrice
from app.domain.portfolio import Portfolio
from app.domain.records import OrderRecord
from app.exchanges.matching.acceptance import refusal
from app.exchanges.matching.funding import FundingSchedule
from app.exchanges.matching.liquidation import due_liquidations, safe_marks
from app.exchanges.matching.prices import Prices
from app.exchanges.matching.resting import PriceRange, RestingOrder, crosses, limit_fills_at, met_at
from app.exchanges.matching.rules import MatchingRules, taker_price
from app.exchanges.matching.state import PendingRequest, VenueState

_MARKET, _TRAILING_STOP = OrderType.MARKET, OrderType.TRAILING_STOP
_BUY = Side.BUY
_TAKER, _FILLED = Liquidity.TAKER, OrderStatus.FILLED
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
KEPT_MAX = 200
"""Ended orders, fills and settlements kept for queries: enough to reconcile a restart with."""


class MatchingEngine:
    """Takes orders and market events, and puts what becomes of them on ``outcomes``, in order.

    Call ``on_market`` with an event before handing it on: what happened within the event has then happened before it.
    """

    def __init__(
        self,
        account_id: str,
        currency: str,
        instruments: Mapping[str, Instrument],
        rules: MatchingRules,
        jitter: Callable[[], float],
        margin_mode: MarginMode = MarginMode.CROSS,
        leverage: Decimal = Decimal(1),
    ) -> None:
        self.instruments = instruments
        self.outcomes: deque[AccountEvent] = deque()
        self._rules = rules
        self._takes_time = rules.latency_ns > 0 or rules.latency_jitter_ns > 0
        self._jitter = jitter
        self._books = Portfolio(account_id, currency, instruments, margin_mode, leverage)
        self._time_ns = 0
        self._sequence = 0
        self._resting: dict[str, RestingOrder] = {}
        self._pending: list[PendingRequest] = []
        self._is_over = False
        self._prices = Prices()
        self._funding = FundingSchedule(instruments, self._books, self._prices)
        self._safe: dict[str, tuple[Decimal, Decimal]] = {}
        self._safe_revision = 0
        self._ended: dict[str, OrderRecord] = {}
        self._fills: deque[Fill] = deque(maxlen=KEPT_MAX)
        self._settlements: deque[FundingPaid] = deque(maxlen=KEPT_MAX)
        self._markets: dict[type, Callable[..., None]] = {
            Bar: self._on_bar,
            Trade: self._on_trade,
            Quote: self._on_quote,
            MarkPrice: self._on_mark,
            FundingRate: self._on_funding_rate,
        }

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def books(self) -> Portfolio:
        """The account as the venue keeps it. Read only."""
        return self._books

    @property
    def time_ns(self) -> int:
        """Time of the last market event."""
        return self._time_ns

    @property
    def fills(self) -> tuple[Fill, ...]:
        """The latest fills, oldest first."""
        return tuple(self._fills)

    @property
    def settlements(self) -> tuple[FundingPaid, ...]:
        """The latest funding settlements, oldest first."""
        return tuple(self._settlements)

    def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return the working orders."""
        return tuple(_record(item) for item in self._resting.values())

    def order(self, client_order_id: str) -> OrderRecord | None:
        """Return an order; None when the venue never had it (or it ended long ago)."""
        resting = self._resting.get(client_order_id)
        return _record(resting) if resting is not None else self._ended.get(client_order_id)

    # -- requests ------------------------------------------------------------------------------------------------

    def deposit(self, amount: Decimal, time_ns: int) -> None:
        """Pay money in."""
        self._books.deposit(f"deposit {time_ns}", amount, time_ns)

    def configure(self, margin_mode: MarginMode, leverage: Decimal) -> None:
        """Set margin mode and leverage of the account."""
        self._books.margin_mode = margin_mode
        self._books.leverage = leverage

    def list_anew(self, instrument: Instrument) -> None:
        """Take orders on another tick from now on. What rests stays, at its own price."""
        self.instruments = listed_anew(self.instruments, instrument)

    def set_partial_fills(self, ratio: Decimal) -> None:
        """Change which share of the volume seen with an event one order may take."""
        if ratio != self._rules.partial_fill_ratio:
            self._rules = msgspec.structs.replace(self._rules, partial_fill_ratio=ratio)

    def submit(self, order: Order) -> None:
        """Take an order; it arrives after the latency."""
        if self._takes_time:
            self._request(PendingRequest(self._arrival(), order))
        else:
            self._accept(order)

    def cancel(self, order: Order, reason: str) -> None:
        """Take a cancel; it arrives after the latency."""
        self._request(PendingRequest(self._arrival(), order, reason))

    def settle_pending(self) -> None:
        """Let everything arrive that is on its way: no further event will come to wait for."""
        pending, self._pending = self._pending, []
        for request in pending:
            self._arrive(request)

    def end_market(self) -> None:
        """Let everything arrive that is on its way; a market order that comes later meets the last price."""
        self.settle_pending()
        self._is_over = True

    # -- the market ----------------------------------------------------------------------------------------------

    def on_market(self, event: MarketEvent) -> None:
        """Take a market event in."""
        self._time_ns = time_ns = event.time_ns
        if self._funding.terms:
            self._settle_due(time_ns)
        if self._pending:
            self._let_arrive(time_ns)
        self._markets[type(event)](event)

    def on_mark_range(self, symbol: str, prices: PriceRange, time_ns: int, *, known: bool) -> None:
        """Take in the mark prices of a whole bar: triggers and liquidations go by them, and not by the last price.

        Args:
            symbol: Whose.
            prices: The marks of the bar.
            time_ns: When the bar closed.
            known: False when they are really last prices, which stand in for marks that nobody recorded.
        """
        self._time_ns = time_ns
        self._prices.marked.add(symbol)
        if known:
            self._prices.estimated.discard(symbol)
        else:
            self._prices.estimated.add(symbol)
        self._trigger(symbol, prices, TriggerPrice.MARK)
        self._liquidate(symbol, prices)
        self._books.set_mark(symbol, prices.close)

    def _on_bar(self, bar: Bar) -> None:
        symbol = bar.symbol
        marked = symbol in self._prices.marked
        if self._resting:
            prices = PriceRange(bar.open, bar.high, bar.low, bar.close)
            self._match(symbol, prices, bar.volume)
            self._trigger(symbol, prices, TriggerPrice.LAST)
            if not marked:
                self._trigger(symbol, prices, TriggerPrice.MARK)
        self._prices.last[symbol] = close = bar.close
        if not marked:
            books = self._books
            # Asked at every bar: between which marks nothing is due is worked out anew only when a fill changes it.
            if books.revision != self._safe_revision:
                self._safe, self._safe_revision = {}, books.revision
            safe = self._safe.get(symbol)
            if safe is None:
                safe = self._safe[symbol] = safe_marks(books, symbol)
            if bar.low <= safe[0] or bar.high >= safe[1]:
                self._liquidate(symbol, PriceRange(bar.open, bar.high, bar.low, close))
            books.set_mark(symbol, close)

    def _on_trade(self, trade: Trade) -> None:
        self._prices.last[trade.symbol] = trade.price
        if self._resting:
            prices = PriceRange.at(trade.price)
            self._match(trade.symbol, prices, trade.contracts)
            self._trigger(trade.symbol, prices, TriggerPrice.LAST)
        if trade.symbol not in self._prices.marked:
            self._mark(trade.symbol, trade.price)

    def _on_quote(self, quote: Quote) -> None:
        self._prices.quotes[quote.symbol] = (quote.bid, quote.ask)
        if self._resting:
            for resting in self._of(quote.symbol):
                if not resting.waits_for_trigger and self._is_here(resting):
                    self._match_quote(resting, quote)

    def _on_mark(self, mark: MarkPrice) -> None:
        self._prices.marked.add(mark.symbol)
        self._mark(mark.symbol, mark.price)

    def _mark(self, symbol: str, price: Decimal) -> None:
        if self._resting or self._books.positions:
            prices = PriceRange.at(price)
            self._trigger(symbol, prices, TriggerPrice.MARK)
            self._liquidate(symbol, prices)
        self._books.set_mark(symbol, price)

    def _on_funding_rate(self, funding: FundingRate) -> None:
        self._funding.announce(funding)
        self._settle_due(funding.time_ns)

    def _settle_due(self, time_ns: int) -> None:
        for paid in self._funding.settle_due(time_ns):
            self._settlements.append(paid)
            self._tell(paid)

    # -- requests arrive -----------------------------------------------------------------------------------------

    def _arrival(self) -> int:
        rules = self._rules
        jitter = int(rules.latency_jitter_ns * self._jitter()) if rules.latency_jitter_ns else 0
        return self._time_ns + rules.latency_ns + jitter

    def _request(self, request: PendingRequest) -> None:
        if request.arrives_ns <= self._time_ns:
            self._arrive(request)
        else:
            self._pending.append(request)

    def _let_arrive(self, time_ns: int) -> None:
        due = [request for request in self._pending if request.arrives_ns <= time_ns]
        if due:
            self._pending = [request for request in self._pending if request.arrives_ns > time_ns]
            for request in sorted(due, key=lambda item: item.arrives_ns):
                self._arrive(request)

    def _arrive(self, request: PendingRequest) -> None:
        if request.cancel_reason is None:
            self._accept(request.order)
        else:
            self._cancel(request.order, request.cancel_reason)

    def _accept(self, order: Order) -> None:
        why = self._refusal(order)
        if why is not None:
            self._keep_ended(OrderRecord(order, OrderStatus.REJECTED, ZERO, None, why))
            self._tell(OrderRejected(order.client_order_id, order.symbol, self._time_ns, why))
            return
        self._sequence += 1
        client_order_id, symbol, kind = order.client_order_id, order.symbol, order.type
        resting = RestingOrder(order, f"V{self._sequence}")
        if kind is _TRAILING_STOP:
            resting.best = self._prices.reference(order, self._books)
        self._resting[client_order_id] = resting
        self.outcomes.append(OrderAccepted(client_order_id, resting.venue_order_id, symbol, self._time_ns))
        if kind is _MARKET and symbol in self._prices.last:
            if self._rules.fill_at_signal:
                self._execute(resting, self._prices.last[symbol], order.contracts, _TAKER)
            elif self._is_over:
                self._take_book(resting, self._prices.last[symbol])

    def _refusal(self, order: Order) -> str | None:
        key = order.client_order_id
        if key in self._resting or (key in self._ended and not self._rules.reuses_client_order_ids):
            return "duplicate client order id"
        return refusal(order, self.instruments, self._books, self._prices, self._resting, self._rules)

    def _cancel(self, order: Order, reason: str) -> None:
        resting = self._resting.get(order.client_order_id)
        if resting is None:
            ended = self._ended.get(order.client_order_id)
            why = "it is not known" if ended is None else f"it is {ended.status}"
            self._tell(CancelRejected(order.client_order_id, order.symbol, self._time_ns, why))
            return
        self._end(resting, OrderStatus.CANCELED, reason)

    # -- orders meet prices --------------------------------------------------------------------------------------

    def _of(self, symbol: str) -> list[RestingOrder]:
        orders = [item for item in self._resting.values() if item.order.symbol == symbol]
        return sorted(orders, key=lambda item: item.urgency) if len(orders) > 1 else orders

    def _is_here(self, resting: RestingOrder) -> bool:
        return self._resting.get(resting.order.client_order_id) is resting

    def _match(self, symbol: str, prices: PriceRange, volume: Decimal) -> None:
        """Let the working orders of a symbol meet prices at which was traded."""
        bid, ask = self._prices.book(self.instruments[symbol], prices.open, self._rules)
        for resting in self._of(symbol):
            if not self._is_here(resting) or self._expired(resting) or resting.waits_for_trigger:
                continue
            if resting.takes or (resting.fresh and crosses(resting.order, bid, ask)):
                self._take(resting, ask if resting.order.side is Side.BUY else bid, volume)
            else:
                at = limit_fills_at(resting, prices)
                if at is not None:
                    self._make(resting, at, volume)
            self._after_look(resting)

    def _match_quote(self, resting: RestingOrder, quote: Quote) -> None:
        if self._expired(resting):
            return
        order = resting.order
        best, size = (quote.ask, quote.ask_contracts) if order.side is Side.BUY else (quote.bid, quote.bid_contracts)
        if resting.takes or (resting.fresh and crosses(order, quote.bid, quote.ask)):
            self._take(resting, best, size)
        elif crosses(order, quote.bid, quote.ask) and order.price is not None:
            self._make(resting, order.price, size)
        self._after_look(resting)

    def _after_look(self, resting: RestingOrder) -> None:
        """A price has been seen: what must fill at once and did not is over."""
        resting.fresh = False
        if self._is_here(resting) and resting.order.time_in_force in _AT_ONCE:
            self._end(resting, OrderStatus.EXPIRED, f"{resting.order.time_in_force}: not filled at once")

    def _expired(self, resting: RestingOrder) -> bool:
        expires = resting.order.expires_ns
        if expires is None or self._time_ns < expires:
            return False
        self._end(resting, OrderStatus.EXPIRED, "good-till-date is over")
        return True

    def _available(self, resting: RestingOrder, volume: Decimal) -> Decimal:
        """Return how many contracts may be filled now; zero when that is nothing, or less than fill-or-kill wants."""
        ratio = self._rules.partial_fill_ratio
        if ratio >= 1:
            return resting.remaining
        instrument = self.instruments[resting.order.symbol]
        most = min(resting.remaining, instrument.round_contracts(volume * ratio))
        if resting.order.time_in_force is TimeInForce.FOK and most < resting.remaining:
            return ZERO
        return most

    def _take(self, resting: RestingOrder, best: Decimal, volume: Decimal) -> None:
        order, instrument = resting.order, self.instruments[resting.order.symbol]
        contracts = self._available(resting, volume)
        if not contracts:
            return
        price = taker_price(instrument, order.side, best, contracts, volume, self._rules)
        if order.price is not None:
            price = min(price, order.price) if order.side is Side.BUY else max(price, order.price)
        self._execute(resting, price, contracts, Liquidity.TAKER)

    def _make(self, resting: RestingOrder, price: Decimal, volume: Decimal) -> None:
        contracts = self._available(resting, volume)
        if contracts:
            self._execute(resting, price, contracts, Liquidity.MAKER)

    def _trigger(self, symbol: str, prices: PriceRange, by: TriggerPrice) -> None:
        """Trigger conditional orders; those that then take the market do so at once."""
        for resting in self._of(symbol):
            if not self._is_here(resting) or not resting.waits_for_trigger or not resting.watches(by):
                continue
            if self._expired(resting):
                continue
            at = met_at(resting, prices)
            if at is None:
                continue
            resting.triggered = True
            self._tell(OrderTriggered(resting.order.client_order_id, symbol, self._time_ns))
            if resting.takes:
                self._take_book(resting, at)

    def _take_book(self, resting: RestingOrder, at: Decimal) -> None:
        """Execute at the book when there are quotes; else at a price that was met, half a spread worse."""
        side, instrument = resting.order.side, self.instruments[resting.order.symbol]
        bid, ask = self._prices.book(instrument, at, self._rules)
        price = taker_price(instrument, side, ask if side is Side.BUY else bid, ZERO, ZERO, self._rules)
        self._execute(resting, price, resting.remaining, Liquidity.TAKER)

    # -- executions ----------------------------------------------------------------------------------------------

    def _execute(self, resting: RestingOrder, price: Decimal, contracts: Decimal, liquidity: Liquidity) -> None:
        order, instrument = resting.order, self.instruments[resting.order.symbol]
        if order.reduce_only:
            held = self._books.position(order.symbol).contracts
            reducible = -held if order.side is _BUY else held
            if contracts > reducible:  # noqa: PLR1730 - half of all orders reduce, and min() takes longer
                contracts = reducible
            if contracts <= ZERO:
                self._end(resting, OrderStatus.CANCELED, "reduce-only, and there is nothing to reduce")
                return
        rate = instrument.taker_fee_rate if liquidity is _TAKER else instrument.maker_fee_rate
        fee = to_ledger(instrument.notional(contracts, price) * rate)
        resting.filled += contracts
        self._fill(order, resting.venue_order_id, order.side, contracts, price, fee, liquidity)
        if resting.filled == order.contracts:
            self._end(resting, _FILLED, "")
            if order.oco_group is not None:
                self._cancel_group(order)
        if self._resting and self._books.position(order.symbol).is_flat:
            self._cancel_reduce_only(order.symbol)

    def _fill(
        self,
        order: Order | None,
        venue_order_id: str | None,
        side: Side,
        contracts: Decimal,
        price: Decimal,
        fee: Decimal,
        liquidity: Liquidity,
        symbol: str = "",
    ) -> None:
        self._sequence += 1
        fill = Fill(
            trade_id=f"T{self._sequence}",
            client_order_id=None if order is None else order.client_order_id,
            venue_order_id=venue_order_id,
            symbol=symbol if order is None else order.symbol,
            side=side,
            contracts=contracts,
            price=price,
            fee=fee,
            fee_currency=self._books.currency,
            liquidity=liquidity,
            time_ns=self._time_ns,
            liquidation=order is None,
        )
        self._books.apply(fill)
        self._fills.append(fill)
        self.outcomes.append(fill)

    def _cancel_group(self, order: Order) -> None:
        for other in list(self._resting.values()):
            if other.order.oco_group == order.oco_group:
                self._end(other, OrderStatus.CANCELED, "the other order of the pair was filled")

    def _cancel_reduce_only(self, symbol: str) -> None:
        for other in list(self._resting.values()):
            if other.order.symbol == symbol and other.order.reduce_only:
                self._end(other, OrderStatus.CANCELED, "the position is closed")

    def _end(self, resting: RestingOrder, status: OrderStatus, reason: str) -> None:
        order = resting.order
        client_order_id = order.client_order_id
        del self._resting[client_order_id]
        self._keep_ended(OrderRecord(order, status, resting.filled, resting.venue_order_id, reason))
        if status is _FILLED:
            return
        told = OrderExpired if status is OrderStatus.EXPIRED else OrderCanceled
        self._tell(told(client_order_id, order.symbol, self._time_ns, reason))

    def _keep_ended(self, record: OrderRecord) -> None:
        ended = self._ended
        ended[record.order.client_order_id] = record
        if len(ended) > KEPT_MAX:
            del ended[next(iter(ended))]

    def _liquidate(self, symbol: str, prices: PriceRange) -> None:
        """Close positions whose collateral is used up, at the price at which it was, or at the open beyond it."""
        for due in due_liquidations(self._books, self.instruments, symbol, prices):
            side = Side.SELL if due.position.contracts > 0 else Side.BUY
            for resting in [item for item in self._resting.values() if item.order.symbol == due.position.symbol]:
                self._end(resting, OrderStatus.CANCELED, "the position is being liquidated")
            self._fill(
                None, None, side, abs(due.position.contracts), due.price, due.fee, Liquidity.TAKER, due.position.symbol
            )

    def _tell(self, event: AccountEvent) -> None:
        self.outcomes.append(event)

    # -- memory --------------------------------------------------------------------------------------------------

    def state(self) -> VenueState:
        """Return everything that is known."""
        return VenueState(
            time_ns=self._time_ns,
            sequence=self._sequence,
            positions=self._books.positions,
            totals=dict(self._books.ledger.totals),
            marks={symbol: mark for symbol in self.instruments if (mark := self._books.mark(symbol)) is not None},
            marked=self._prices.marked,
            estimated=self._prices.estimated,
            last=self._prices.last,
            quotes=self._prices.quotes,
            funding=self._funding.terms,
            resting=self._resting,
            pending=self._pending,
            outcomes=tuple(self.outcomes),
            ended=self._ended,
            fills=tuple(self._fills),
            settlements=tuple(self._settlements),
        )

    def restore(self, state: VenueState) -> None:
        """Go on where ``state`` was taken."""
        self._time_ns, self._sequence = state.time_ns, state.sequence
        trades = [fill.trade_id for fill in state.fills]
        settled = [paid.reference for paid in state.settlements]
        self._books.restore(state.positions, state.totals, trades, settled, state.marks)
        self._prices.restore(state)
        self._funding.terms = state.funding
        self._resting, self._pending = state.resting, state.pending
        self._ended = state.ended
        self.outcomes = deque(state.outcomes)
        self._fills = deque(state.fills, maxlen=KEPT_MAX)
        self._settlements = deque(state.settlements, maxlen=KEPT_MAX)


def _record(resting: RestingOrder) -> OrderRecord:
    return OrderRecord(resting.order, resting.status, resting.filled, resting.venue_order_id, resting.reason)
