"""Orders and books against a model of dicts and sums, whatever comes: twice, late, out of order, over restarts."""

from decimal import Decimal

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from app.domain.events import (
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
    OrderUnknown,
)
from app.domain.margin import MarginMode
from app.domain.order import Side
from app.domain.portfolio import Portfolio
from app.execution import OrderTracker
from tests.builders import BTC, ETH, START_NS, fill, funding_paid, instrument, order

INSTRUMENTS = {BTC: instrument(), ETH: instrument(ETH)}
DEPOSIT = Decimal(1_000_000)
SIDES = st.sampled_from(Side)
SYMBOLS = st.sampled_from((BTC, ETH))
LOTS = st.integers(1, 3000).map(lambda lots: Decimal(lots) / 1000)
PRICES = st.integers(500, 2000).map(lambda ticks: Decimal(ticks) / 10)
FEES = st.integers(-50, 200).map(lambda cents: Decimal(cents) / 100)

WORKING = {"intended", "sent", "unknown", "open", "partially_filled"}
NEWS = {
    # What is told, from which statuses it counts, and what the order is then. From any other it is stale.
    OrderAccepted: ({"sent", "unknown"}, "open"),
    OrderTriggered: ({"sent", "unknown"}, "open"),
    OrderRejected: ({"sent", "unknown"}, "rejected"),
    OrderUnknown: ({"sent", "open", "partially_filled"}, "unknown"),
    OrderCanceled: (WORKING, "canceled"),
    OrderExpired: (WORKING - {"intended"}, "expired"),
}


def news(kind, client_order_id, symbol):
    if kind is OrderAccepted:
        return OrderAccepted(client_order_id, f"V-{client_order_id}", symbol, START_NS)
    if kind is OrderTriggered:
        return OrderTriggered(client_order_id, symbol, START_NS)
    return kind(client_order_id, symbol, START_NS, "told")


class Account(RuleBasedStateMachine):
    """The real tracker and portfolio beside the model: ``orders``, ``trades``, ``settled``, ``marks``."""

    placed = Bundle("placed")
    told = Bundle("told")

    @initialize()
    def begin(self):
        self.tracker, self.portfolio = OrderTracker(), self.empty()
        self.portfolio.deposit("opening", DEPOSIT, START_NS)
        self.orders, self.forgotten, self.trades, self.settled = {}, set(), {}, {}
        self.marks = {}
        for symbol in INSTRUMENTS:
            self.mark(symbol, Decimal(100))

    def empty(self):
        return Portfolio("main", "USDT", INSTRUMENTS, MarginMode.CROSS, Decimal(5))

    # -- what the bot does ---------------------------------------------------------------------------------------

    @rule(target=placed, symbol=SYMBOLS, side=SIDES, contracts=LOTS)
    def intend(self, symbol, side, contracts):
        key = f"o{len(self.orders) + len(self.forgotten)}"
        self.tracker.intend(order(key, side, contracts, symbol=symbol))
        self.orders[key] = {
            "symbol": symbol,
            "side": side,
            "contracts": contracts,
            "status": "intended",
            "filled": Decimal(0),
        }
        return key

    @rule(key=placed)
    def send(self, key):
        if key in self.orders and self.orders[key]["status"] == "intended":
            self.tracker.sent(key)
            self.orders[key]["status"] = "sent"

    @rule(key=placed)
    def withdraw(self, key):
        if key in self.orders and self.orders[key]["status"] == "intended":
            self.tracker.withdraw(key, "no more")
            self.orders[key]["status"] = "canceled"

    # -- what the exchange tells ---------------------------------------------------------------------------------

    @rule(key=placed, kind=st.sampled_from(tuple(NEWS)))
    def tell(self, key, kind):
        """In any order, as often as it likes, before and after the order's end."""
        known = self.orders.get(key)
        tracked = self.tracker.apply(news(kind, key, BTC if known is None else known["symbol"]))
        counts, status = NEWS[kind]
        if known is None or known["status"] not in counts:
            assert tracked is None
            return
        assert tracked is not None
        is_back = known["status"] == "unknown" and status == "open" and known["filled"]
        known["status"] = "partially_filled" if is_back else status

    @rule(target=told, key=placed, part=st.integers(1, 4), price=PRICES, fee=FEES)
    def execute(self, key, part, price, fee):
        """Fill a part of what an order has left, or of its size when it has ended: a fill may come late."""
        known = self.orders.get(key)
        if known is None or known["status"] == "intended":
            return None
        left = known["contracts"] - known["filled"]
        contracts = ((left or known["contracts"]) * part / 4).quantize(Decimal("0.001")) or Decimal("0.001")
        contracts = min(contracts, left or contracts)
        return self.take(
            fill(
                f"t{len(self.trades)}",
                known["side"],
                contracts,
                price,
                fee,
                client_order_id=key,
                symbol=known["symbol"],
            )
        )

    @rule(target=told, symbol=SYMBOLS, side=SIDES, contracts=LOTS, price=PRICES, fee=FEES, named=st.booleans())
    def strange(self, symbol, side, contracts, price, fee, named):
        """A liquidation, or a hand at the venue: an order that nobody knows, or none at all."""
        key = "somebody-else" if named else None
        return self.take(fill(f"t{len(self.trades)}", side, contracts, price, fee, client_order_id=key, symbol=symbol))

    @rule(known=told)
    def again(self, known):
        """A fill is told twice: by the stream and by a query, or after a restart."""
        if known is not None:
            assert self.portfolio.apply(known) is None

    @rule(symbol=SYMBOLS, hour=st.integers(0, 5), amount=FEES)
    def settle(self, symbol, hour, amount):
        paid = funding_paid(amount, START_NS + hour, symbol)
        entry = self.portfolio.apply_funding(paid)
        assert (entry is None) == ((symbol, hour) in self.settled)
        self.settled.setdefault((symbol, hour), amount)

    @rule(symbol=SYMBOLS, price=PRICES)
    def mark(self, symbol, price):
        self.portfolio.set_mark(symbol, price)
        self.marks[symbol] = price

    # -- a restart -----------------------------------------------------------------------------------------------

    @rule()
    def restart(self):
        """Begin anew from what is on record: working orders, positions, ledger, what was seen."""
        records = [tracked.record() for tracked in self.tracker.all_working()]
        assert msgspec.json.decode(msgspec.json.encode(records), type=list[type(records[0])] if records else list) == (
            records
        )
        positions, totals = self.portfolio.positions, dict(self.portfolio.ledger.totals)
        self.tracker, self.portfolio = OrderTracker(), self.empty()
        self.tracker.restore(records)
        references = [f"funding:{symbol}:{START_NS + hour}" for symbol, hour in self.settled]
        self.portfolio.restore(positions, totals, list(self.trades), references, {})
        for symbol, price in self.marks.items():
            self.portfolio.set_mark(symbol, price)
        for key, known in tuple(self.orders.items()):
            if known["status"] not in WORKING:
                self.forgotten.add(key)
                del self.orders[key]
            elif known["status"] in {"intended", "sent"}:
                known["status"] = "unknown"

    # -- the model ------------------------------------------------------------------------------------------------

    def take(self, one):
        """Take a new fill in, here and there."""
        assert self.portfolio.apply(one) is not None
        tracked = self.tracker.fill(one)
        self.trades[one.trade_id] = one
        known = self.orders.get(one.client_order_id)
        assert (tracked is None) == (known is None)
        if known is not None:
            known["filled"] += one.contracts
            if known["status"] in WORKING:
                full = known["filled"] >= known["contracts"]
                known["status"] = "filled" if full else "partially_filled"
        return one

    def held(self, symbol):
        """Contracts, as the sum of all trades."""
        return sum((t.signed_contracts for t in self.trades.values() if t.symbol == symbol), Decimal(0))

    @invariant()
    def orders_are_as_the_model_says(self):
        working = {key for key, known in self.orders.items() if known["status"] in WORKING}
        assert {item.order.client_order_id for item in self.tracker.all_working()} == working
        assert self.tracker.open_orders == len(working)
        assert set(self.tracker.working_symbols) == {self.orders[key]["symbol"] for key in working}
        for key, known in self.orders.items():
            tracked = self.tracker.find(key)
            assert (tracked.status, tracked.filled) == (known["status"], known["filled"])
            assert tracked.remaining == max(Decimal(0), known["contracts"] - known["filled"])
        assert all(self.tracker.find(key) is None for key in self.forgotten)

    @invariant()
    def money_and_positions_are_sums(self):
        """One contract is one coin: equity is the deposit, trades, fees, funding, what is held at the mark."""
        for symbol in INSTRUMENTS:
            assert self.portfolio.position(symbol).contracts == self.held(symbol)
        spent = sum((t.signed_contracts * t.price + t.fee for t in self.trades.values()), Decimal(0))
        worth = sum((self.held(symbol) * price for symbol, price in self.marks.items()), Decimal(0))
        funding = sum(self.settled.values(), Decimal(0))
        assert self.portfolio.equity == DEPOSIT - spent + worth + funding
        assert sum(self.portfolio.ledger.totals.values(), Decimal(0)) == 0


Account.TestCase.settings = settings(max_examples=60, stateful_step_count=40, derandomize=True, deadline=None)
TestAccount = Account.TestCase
