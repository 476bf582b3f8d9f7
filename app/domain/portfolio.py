"""The books of one account: positions, ledger, and what they are worth at the marks."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from app.domain.errors import CurrencyMismatch, UnknownInstrument
from app.domain.events import Fill, FundingPaid
from app.domain.instrument import Instrument
from app.domain.ledger import Account, Ledger, LedgerEntry, deposit, funding, settlement
from app.domain.margin import MarginMode, initial_margin, liquidation_price, maintenance_margin
from app.domain.money import ZERO
from app.domain.position import Position

SEEN_KEPT_MAX = 100_000
"""Trade ids and settlements that are remembered, so that each counts once."""


class Portfolio:
    """Positions and ledger of one account in one currency. It has one writer; others see a read-only view."""

    def __init__(
        self,
        account_id: str,
        currency: str,
        instruments: Mapping[str, Instrument],
        margin_mode: MarginMode = MarginMode.CROSS,
        leverage: Decimal = Decimal(1),
    ) -> None:
        for instrument in instruments.values():
            if instrument.settle != currency:
                raise CurrencyMismatch(currency, instrument.settle)
        self.account_id = account_id
        self.currency = currency
        self.margin_mode = margin_mode
        self.leverage = leverage
        self._instruments = instruments
        self._ledger = Ledger(currency)
        self._positions: dict[str, Position] = {}
        self._open: tuple[Position, ...] = ()
        self._liquidation_prices: dict[str, Decimal | None] = {}
        self._marks: dict[str, Decimal] = {}
        self._values: dict[str, Decimal] = {}
        self._unrealized: dict[str, Decimal] = {}
        self._unrealized_total = ZERO
        self._maintenance: dict[str, Decimal] = {}
        self._maintenance_total = ZERO
        self._unvalued: set[str] = set()
        self._seen_trades: dict[str, None] = {}
        self._seen_funding: dict[str, None] = {}

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """Totals by account."""
        return self._ledger

    @property
    def balance(self) -> Decimal:
        """Deposits + realized PnL (gross) - fees + funding."""
        return self._ledger.balance

    @property
    def unrealized(self) -> Decimal:
        """Profit of closing everything at the marks, before fees."""
        if self._unvalued:
            self._revalue()
        return self._unrealized_total

    @property
    def equity(self) -> Decimal:
        """Balance plus unrealized PnL."""
        if self._unvalued:
            self._revalue()
        return self._ledger.balance + self._unrealized_total

    @property
    def positions(self) -> tuple[Position, ...]:
        """All that are not flat, in the order in which their symbols were first traded."""
        return self._open

    def position(self, symbol: str) -> Position:
        """Return the position in ``symbol``; flat when there is none."""
        return self._positions.get(symbol) or Position(symbol)

    def mark(self, symbol: str) -> Decimal | None:
        """Return the last mark price; None when none has been seen."""
        return self._marks.get(symbol)

    def notional(self, symbol: str) -> Decimal:
        """Return the unsigned value of the position at its mark; at its cost when there is no mark yet."""
        if self._unvalued:
            self._revalue()
        value = self._values.get(symbol)
        return abs(self.position(symbol).cost if value is None else value)

    @property
    def isolated(self) -> bool:
        """Whether each position has collateral of its own."""
        return self.margin_mode is MarginMode.ISOLATED

    @property
    def margin_used(self) -> Decimal:
        """Initial margin that the positions bind."""
        return sum([self._margin_of(position) for position in self._open], ZERO)

    @property
    def margin_available(self) -> Decimal:
        """Equity that no position binds; negative when under water.

        The profit of an isolated position stays with it until it is closed: it is not free.
        """
        return (self.balance if self.isolated else self.equity) - self.margin_used

    @property
    def maintenance_margin(self) -> Decimal:
        """Sum of the positions' maintenance margins, at the marks."""
        if self._unvalued:
            self._revalue()
        return self._maintenance_total

    def maintenance_of(self, symbol: str) -> Decimal:
        """Return the maintenance margin of one position, at its mark."""
        if self._unvalued:
            self._revalue()
        return self._maintenance.get(symbol, ZERO)

    def collateral_of(self, symbol: str) -> Decimal:
        """Return what stands for a position: its isolated margin, or the rest of the account under cross margin."""
        own = self.position(symbol)
        if own.isolated_margin is not None:
            return own.isolated_margin
        collateral = self._ledger.balance
        for other in self._open:
            if other.isolated_margin is not None:
                collateral -= other.isolated_margin
            elif other.symbol != symbol:
                maintenance = self.maintenance_of(other.symbol)
                collateral += self._unrealized.get(other.symbol, ZERO) - maintenance
        return collateral

    def liquidation_price(self, symbol: str) -> Decimal | None:
        """Return the mark at which the position in ``symbol`` is liquidated; None when flat or out of reach."""
        # With collateral of its own, or alone in the account, it does not depend on any mark: a new mark, which comes
        # far more often than a fill, costs no new calculation.
        if not self.isolated and len(self._open) > 1:
            return self._calculate_liquidation_price(symbol)
        if symbol not in self._liquidation_prices:
            self._liquidation_prices[symbol] = self._calculate_liquidation_price(symbol)
        return self._liquidation_prices[symbol]

    # -- writing (the owner only) --------------------------------------------------------------------------------

    def deposit(self, reference: str, amount: Decimal, time_ns: int) -> LedgerEntry:
        """Pay money in (or out, when negative)."""
        entry = deposit(reference, amount, self.currency, time_ns)
        self._ledger.post(entry)
        self._changed()
        return entry

    def apply(self, fill: Fill) -> LedgerEntry | None:
        """Apply a fill; None when its trade id was applied before.

        Raises:
            UnknownInstrument: Its symbol is not listed.
            CurrencyMismatch: Its fee is in another currency.
        """
        instrument = self._instrument(fill.symbol)
        if fill.fee_currency != self.currency:
            raise CurrencyMismatch(self.currency, fill.fee_currency)
        if fill.trade_id in self._seen_trades:
            return None
        _remember(self._seen_trades, fill.trade_id)
        before = self.position(fill.symbol)
        after, realized = before.after(
            instrument, fill.signed_contracts, fill.price, self._margin_for(instrument, before, fill)
        )
        self._positions[fill.symbol] = after
        entry = settlement(fill.trade_id, realized, fill.fee, self.currency, fill.time_ns)
        self._ledger.post(entry)
        # Without a mark, the price of the fill is the best that is known of what the position is worth.
        self._marks.setdefault(fill.symbol, fill.price)
        self._changed()
        self._unvalued.add(fill.symbol)
        return entry

    def apply_funding(self, paid: FundingPaid) -> LedgerEntry | None:
        """Apply a funding settlement; None when it was applied before.

        Raises:
            UnknownInstrument: Its symbol is not listed.
            CurrencyMismatch: It is in another currency.
        """
        self._instrument(paid.symbol)
        if paid.currency != self.currency:
            raise CurrencyMismatch(self.currency, paid.currency)
        reference = paid.reference
        if reference in self._seen_funding:
            return None
        _remember(self._seen_funding, reference)
        entry = funding(reference, paid.amount, self.currency, paid.time_ns)
        self._ledger.post(entry)
        position = self.position(paid.symbol)
        self._positions[paid.symbol] = position.with_margin(paid.amount)
        self._changed()
        return entry

    def set_mark(self, symbol: str, price: Decimal) -> None:
        """Value the position in ``symbol`` at ``price``."""
        self._marks[symbol] = price
        self._unvalued.add(symbol)

    def restore(
        self,
        positions: Iterable[Position],
        totals: dict[Account, Decimal],
        seen_trades: Iterable[str],
        seen_funding: Iterable[str],
        marks: Mapping[str, Decimal],
    ) -> None:
        """Take over recorded books, instead of what is here."""
        self._ledger.restore(totals)
        self._positions = {position.symbol: position for position in positions}
        self._seen_trades = dict.fromkeys(seen_trades)
        self._seen_funding = dict.fromkeys(seen_funding)
        self._marks = dict(marks)
        self._changed()
        self._values.clear()
        self._unrealized.clear()
        self._unrealized_total = ZERO
        self._maintenance.clear()
        self._maintenance_total = ZERO
        self._unvalued = set(self._positions)

    # -- inside --------------------------------------------------------------------------------------------------

    def _instrument(self, symbol: str) -> Instrument:
        try:
            return self._instruments[symbol]
        except KeyError:
            raise UnknownInstrument(symbol, self._instruments) from None

    def _calculate_liquidation_price(self, symbol: str) -> Decimal | None:
        position = self.position(symbol)
        if position.is_flat:
            return None
        return liquidation_price(self._instrument(symbol), position, self.collateral_of(symbol))

    def _changed(self) -> None:
        """Bring what is derived from positions and ledger up to date."""
        self._open = tuple([position for position in self._positions.values() if position.contracts])
        self._liquidation_prices.clear()

    def _revalue(self) -> None:
        """Value the positions whose mark or size has changed since they were valued last."""
        for symbol in self._unvalued:
            position = self._positions.get(symbol)
            mark = self._marks.get(symbol)
            if position is None:
                continue
            instrument = self._instruments[symbol]
            # Unknown is not zero: without a mark, a position is worth what it cost.
            value = position.cost if mark is None else instrument.value(position.contracts, mark)
            unrealized = value - position.cost
            maintenance = maintenance_margin(instrument, abs(value))
            self._unrealized_total += unrealized - self._unrealized.get(symbol, ZERO)
            self._maintenance_total += maintenance - self._maintenance.get(symbol, ZERO)
            self._unrealized[symbol] = unrealized
            self._maintenance[symbol] = maintenance
            self._values[symbol] = value
        self._unvalued.clear()

    def _margin_for(self, instrument: Instrument, before: Position, fill: Fill) -> Decimal | None:
        if not self.isolated:
            return None
        signed = fill.signed_contracts
        opening = signed if before.contracts * signed >= 0 else max(ZERO, abs(signed) - abs(before.contracts))
        return initial_margin(instrument.notional(opening, fill.price), self.leverage)

    def _margin_of(self, position: Position) -> Decimal:
        if position.isolated_margin is not None:
            return position.isolated_margin
        return initial_margin(self.notional(position.symbol), self.leverage)


def _remember(seen: dict[str, None], key: str) -> None:
    """Add a key; forget the oldest beyond what a venue would ever tell again."""
    seen[key] = None
    if len(seen) > SEEN_KEPT_MAX:
        del seen[next(iter(seen))]
