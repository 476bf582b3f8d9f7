"""The rules of positions and money: protected, leaving when they must; the same here, on record and at the venue."""

from collections.abc import Mapping
from decimal import Decimal

from app.domain.events import Fill, FundingPaid
from app.domain.ledger import Account, LedgerEntry
from app.domain.money import ZERO, plain
from app.domain.order import Purpose
from app.domain.records import Record
from app.domain.target import Target
from app.simulation.life import Life
from app.simulation.seen import Seen, is_up, working_orders
from app.simulation.violation import Violation

BARE_S_MAX = 25.0
"""How long a position that the bot knows of may be without any stop that it knows of."""
APART_S_MAX = 180.0
"""How long positions may differ from the venue's: some comparisons, of which some may fail or be slow."""
WRONG_S_MAX = 40.0
"""How long a position on the wrong side may be without an exit: one that was refused waits for the next mark."""


class PositionRules:
    """Follows what is held."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._bare_since: dict[str, float] = {}
        self._wrong_since: dict[str, float] = {}
        self._apart_since: dict[str, float] = {}

    def begin(self) -> None:
        """A new life begins to protect what it finds."""
        self._bare_since.clear()
        self._wrong_since.clear()
        self._apart_since.clear()

    def on_fill(self, fill: Fill) -> None:
        """Note that an exit which no strategy ordered has ended a target: what others do to the account then stays."""
        order = self._seen.venue.known.get(fill.client_order_id or "")
        target = self._seen.wanted.get(fill.symbol)
        if target is None or fill.signed_contracts * target.contracts >= 0:
            return
        if fill.liquidation or (order is not None and order.order.is_protective):
            self._seen.stopped[fill.symbol] = target.sequence

    # -- while it trades -----------------------------------------------------------------------------------------

    def judge_care(self, life: Life) -> None:
        """Judge whether what is held is protected, or on its way out, as far as the bot can know of it."""
        if life.link.is_silent or not is_up(life):
            self.begin()
            return
        now, portfolio = self._seen.now_s(), life.context.portfolio
        theirs = {position.symbol: position.contracts for position in self._seen.venue.positions}
        working = working_orders(life)
        for symbol in self._seen.venue.instruments:
            held = portfolio.position(symbol).contracts
            _note(self._apart_since, symbol, now, is_so=held != theirs.get(symbol, ZERO))
            if not held or held != theirs.get(symbol):
                self._bare_since.pop(symbol, None)
                self._wrong_since.pop(symbol, None)
                continue
            purposes = {r.order.purpose for r in working if r.order.symbol == symbol}
            bare = self._wants_stop(symbol, held) and Purpose.STOP_LOSS not in purposes
            wrong = self._must_go(symbol, held) and Purpose.EXIT not in purposes
            _note(self._bare_since, symbol, now, is_so=bare)
            _note(self._wrong_since, symbol, now, is_so=wrong)
        self._judge_delays(now, theirs)

    def _judge_delays(self, now: float, held: Mapping[str, Decimal]) -> None:
        for symbol, since in self._apart_since.items():
            if now - since > APART_S_MAX:
                what = f"{symbol} differs from the venue's {held.get(symbol)} for {now - since:g} s"
                raise Violation("books_equal_the_venue", what)
        for symbol, since in self._bare_since.items():
            if now - since > BARE_S_MAX:
                what = f"{plain(held[symbol])} {symbol} has had no stop for {now - since:g} s"
                raise Violation("positions_are_protected", what)
        for symbol, since in self._wrong_since.items():
            if now - since > WRONG_S_MAX:
                what = f"{plain(held[symbol])} {symbol} must go, and nothing was sent for {now - since:g} s"
                raise Violation("exits_get_through", what)

    def _wanted(self, symbol: str) -> Target | None:
        """Return the latest target that was decided; None when a flatten came after it."""
        target = self._seen.wanted.get(symbol)
        return None if target is None or target.sequence <= self._seen.flattened.get(symbol, 0) else target

    def _must_go(self, symbol: str, held: Decimal) -> bool:
        target = self._wanted(symbol)
        if target is None or target.sequence <= self._seen.stopped.get(symbol, 0):
            return False
        return held * target.contracts <= 0

    def _wants_stop(self, symbol: str, held: Decimal) -> bool:
        target = self._wanted(symbol)
        if target is None or held * target.contracts <= 0:
            return False
        return target.stop is not None or target.trailing is not None

    # -- on record -----------------------------------------------------------------------------------------------

    @staticmethod
    def judge_entries(records: tuple[Record, ...]) -> None:
        """Judge what the bot books for a fill or a settlement: the fee that was taken, the sum that was paid."""
        entries = {record.reference: record for record in records if isinstance(record, LedgerEntry)}
        for record in records:
            if isinstance(record, Fill) and record.trade_id in entries:
                booked, told = entries[record.trade_id].amount(Account.FEES), record.fee
            elif isinstance(record, FundingPaid) and record.reference in entries:
                booked, told = -entries[record.reference].amount(Account.FUNDING), record.amount
            else:
                continue
            if booked != told:
                raise Violation("books_add_up", f"{booked} is booked where the venue said {told}: {record}")

    def judge_memory(self, life: Life) -> None:
        """Judge the books against all that was ever written down."""
        portfolio, record = life.context.portfolio, self._seen.record
        for symbol in self._seen.venue.instruments:
            ours, by_fills = portfolio.position(symbol).contracts, record.contracts.get(symbol, ZERO)
            if ours != by_fills:
                raise Violation("memory_survives", f"{symbol}: {ours} in the books, {by_fills} by the fills on record")
        for account, total in portfolio.ledger.totals.items():
            if total != record.totals[account]:
                what = f"{account}: {total} in the books, {record.totals[account]} by the entries on record"
                raise Violation("memory_survives", what)

    # -- at rest -------------------------------------------------------------------------------------------------

    def differences(self, life: Life) -> list[str]:
        """Return where the books and the venue are apart; a venue at rest and a bot that is up have none."""
        portfolio, venue = life.context.portfolio, self._seen.venue
        ours = {position.symbol: position.contracts for position in portfolio.positions}
        theirs = {position.symbol: position.contracts for position in venue.positions}
        found = [] if ours == theirs else [f"positions {_text(ours)} and {_text(theirs)}"]
        if portfolio.balance != venue.balance:
            found.append(f"balance {portfolio.balance} and {venue.balance}")
        working = {record.order.client_order_id for record in working_orders(life)}
        there = {record.order.client_order_id for record in venue.open_orders()}
        if working != there:
            found.append(f"orders {sorted(working - there)} only here, {sorted(there - working)} only there")
        return found

    def unprotected(self) -> list[str]:
        """Return the positions whose stops at the venue are not what their strategies want."""
        found = []
        for position in self._seen.venue.positions:
            wants = self._wants_stop(position.symbol, position.contracts)
            stops = self.stops_of(position.symbol)
            if wants and stops != [abs(position.contracts)]:
                found.append(f"{plain(position.contracts)} {position.symbol} has stops of {[plain(s) for s in stops]}")
        return found

    def stops_of(self, symbol: str) -> list[Decimal]:
        """Return the sizes of the stops that work at the venue."""
        return [
            record.order.contracts - record.filled
            for record in self._seen.resting_orders()
            if record.order.symbol == symbol and record.order.purpose is Purpose.STOP_LOSS
        ]

    def judge_money(self, life: Life) -> None:
        """Judge the ledger by what the venue took and paid, once nothing is on its way."""
        if life.journal.failure is not None:
            return
        totals, venue = life.context.portfolio.ledger.totals, self._seen.venue
        fees = sum((fill.fee for fill in venue.fills), ZERO)
        funding = sum((paid.amount for paid in venue.settlements), ZERO)
        if totals[Account.FEES] != fees:
            raise Violation("books_add_up", f"fees are {totals[Account.FEES]}, the venue took {fees}")
        if -totals[Account.FUNDING] != funding:
            raise Violation("books_add_up", f"funding is {-totals[Account.FUNDING]}, the venue paid {funding}")
        realized = venue.balance - self._seen.settings.exchange.simulated.deposit + fees - funding
        if -totals[Account.REALIZED] != realized:
            raise Violation("books_add_up", f"realized is {-totals[Account.REALIZED]}, by the venue {realized}")


def _note(since: dict[str, float], symbol: str, now: float, *, is_so: bool) -> None:
    if is_so:
        since.setdefault(symbol, now)
    else:
        since.pop(symbol, None)


def _text(positions: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{symbol} {plain(contracts)}" for symbol, contracts in positions.items()) or "none"
