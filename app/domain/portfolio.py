"""The books of one account: positions, ledger, and what they are worth at the marks."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from app.domain.errors import CurrencyMismatch, UnknownInstrument
from app.domain.events import Fill, FundingPaid
from app.domain.instrument import Instrument
from app.domain.ledger import Account, Ledger, LedgerEntry, deposit, funding, settlement
from app.domain.margin import MarginMode, initial_margin, liquidation_price, maintenance_margin
from app.domain.money import ZERO
from app.domain.order import Side
from app.domain.position import Position

SEEN_KEPT_MAX = 100_000
"""Trade ids and settlements that are remembered, so that each counts once: more than a venue would ever tell again."""
_BUY = Side.BUY
_ISOLATED = MarginMode.ISOLATED


class _Holding:
    """What is held of one instrument, and what that is worth at its mark."""

    __slots__ = ("_marks", "instrument", "is_valued", "maintenance", "position", "unrealized", "value")

    def __init__(self, instrument: Instrument, marks: Mapping[str, Decimal]) -> None:
        self.instrument = instrument
        self._marks = marks
        self.take(Position(instrument.symbol))

    def take(self, position: Position) -> None:
        """Hold another position."""
        self.position = position
        self.value = self.unrealized = self.maintenance = ZERO
        self.is_valued = not position.contracts  # nothing held is worth nothing, at any mark

    def revalue(self) -> None:
        """Work out what it is worth at its mark."""
        position, instrument = self.position, self.instrument
        mark = self._marks.get(position.symbol)
        # Unknown is not zero: without a mark, a position is worth what it cost.
        value = position.cost if mark is None else instrument.value(position.contracts, mark)
        self.value = abs(value)
        self.unrealized = value - position.cost
        self.maintenance = maintenance_margin(instrument, self.value)
        self.is_valued = True


class _Positions(dict[str, Position]):
    """Positions by symbol; a flat one where there is none."""

    def __missing__(self, symbol: str) -> Position:
        return Position(symbol)


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
        self.revision = 0
        """Counts the changes of positions and ledger; marks change neither."""
        self._instruments = instruments
        self._ledger = Ledger(currency)
        self._marks: dict[str, Decimal] = {}
        self._holdings = {symbol: _Holding(instrument, self._marks) for symbol, instrument in instruments.items()}
        self._by_symbol = _Positions({symbol: holding.position for symbol, holding in self._holdings.items()})
        # Asked for a dozen times an order: the look-ups themselves, without a method around them.
        self.position = self._by_symbol.__getitem__
        """Return the position in a symbol; flat when there is none."""
        self.mark = self._marks.get
        """Return the last mark price of a symbol; None when none has been seen."""
        self._open: list[_Holding] = []
        self._equity: Decimal | None = ZERO
        """Worked out when it is asked for, once between two changes: a fill makes several parts ask."""
        self.positions: tuple[Position, ...] = ()
        """All that are not flat, in the order of the instruments. Read only."""
        self._liquidation_prices: dict[str, Decimal | None] = {}
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
        return self.equity - self._ledger.balance

    @property
    def equity(self) -> Decimal:
        """Balance plus unrealized PnL."""
        equity = self._equity
        if equity is None:
            unrealized = ZERO
            for holding in self._open:
                if not holding.is_valued:
                    holding.revalue()
                unrealized += holding.unrealized
            equity = self._equity = self._ledger.balance + unrealized
        return equity

    def notional(self, symbol: str) -> Decimal:
        """Return the unsigned value of the position at its mark; at its cost when there is no mark yet."""
        return self._valued(symbol).value

    @property
    def isolated(self) -> bool:
        """Whether each position has collateral of its own."""
        return self.margin_mode is _ISOLATED

    @property
    def margin_used(self) -> Decimal:
        """Initial margin that the positions bind."""
        total = ZERO
        for holding in self._open:
            total += self._margin_of(holding)
        return total

    @property
    def margin_available(self) -> Decimal:
        """Equity that no position binds; negative when under water.

        The profit of an isolated position stays with it until it is closed: it is not free.
        """
        free = self._ledger.balance if self.margin_mode is _ISOLATED else self.equity
        return free - self.margin_used if self._open else free

    @property
    def maintenance_margin(self) -> Decimal:
        """Sum of the positions' maintenance margins, at the marks."""
        total = ZERO
        for holding in self._open:
            if not holding.is_valued:
                holding.revalue()
            total += holding.maintenance
        return total

    def maintenance_of(self, symbol: str) -> Decimal:
        """Return the maintenance margin of one position, at its mark."""
        return self._valued(symbol).maintenance

    def collateral_of(self, symbol: str) -> Decimal:
        """Return what stands for a position: its isolated margin, or the rest of the account under cross margin."""
        return self._collateral_of(self.position(symbol))

    def liquidation_price(self, symbol: str) -> Decimal | None:
        """Return the mark at which the position in ``symbol`` is liquidated; None when flat or out of reach."""
        # With collateral of its own, or alone in the account, it does not depend on any mark: a new mark, which comes
        # far more often than a fill, costs no new calculation.
        keeps, known = len(self._open) < 2 or self.margin_mode is _ISOLATED, self._liquidation_prices
        if keeps and symbol in known:
            return known[symbol]
        position, price = self.position(symbol), None
        if position.contracts:
            price = liquidation_price(self._instruments[symbol], position, self._collateral_of(position))
        if keeps:
            known[symbol] = price
        return price

    # -- writing (the owner only) --------------------------------------------------------------------------------

    def deposit(self, reference: str, amount: Decimal, time_ns: int) -> LedgerEntry:
        """Pay money in (or out, when negative)."""
        entry = deposit(reference, amount, self.currency, time_ns)
        self._ledger.post(entry)
        self._changed()
        return entry

    def apply(self, fill: Fill) -> LedgerEntry | None:
        """Apply a fill; None when its trade id was applied before.

        A fee in another currency costs this balance nothing.

        Raises:
            UnknownInstrument: Its symbol is not listed.
        """
        # The venue and the bot both come this way with every fill: written out, where it calls little.
        holding = self._holdings.get(fill.symbol) or self._holding(fill.symbol)
        trade_id, seen = fill.trade_id, self._seen_trades
        if trade_id in seen:
            return None
        seen[trade_id] = None
        if len(seen) > SEEN_KEPT_MAX:
            del seen[next(iter(seen))]
        before, instrument = holding.position, holding.instrument
        margin = self._margin_for(instrument, before, fill) if self.margin_mode is _ISOLATED else None
        signed = fill.contracts if fill.side is _BUY else -fill.contracts
        after, realized = before.after(instrument, signed, fill.price, margin)
        entry = settlement(trade_id, realized, fill.fee_in(self.currency), self.currency, fill.time_ns)
        self._ledger.post(entry)
        if fill.symbol not in self._marks:
            # Without a mark, the price of the fill is the best that is known of what the position is worth.
            self._marks[fill.symbol] = fill.price
        self._by_symbol[fill.symbol] = after
        holding.take(after)
        self._changed()
        return entry

    def apply_funding(self, paid: FundingPaid) -> LedgerEntry | None:
        """Apply a funding settlement; None when it was applied before.

        Raises:
            UnknownInstrument: Its symbol is not listed.
            CurrencyMismatch: It is in another currency.
        """
        holding = self._holding(paid.symbol)
        if paid.currency != self.currency:
            raise CurrencyMismatch(self.currency, paid.currency)
        reference = paid.reference
        if reference in self._seen_funding:
            return None
        self._seen_funding[reference] = None
        if len(self._seen_funding) > SEEN_KEPT_MAX:
            del self._seen_funding[next(iter(self._seen_funding))]
        entry = funding(reference, paid.amount, self.currency, paid.time_ns)
        self._ledger.post(entry)
        position = self._by_symbol[paid.symbol] = holding.position.with_margin(paid.amount)
        holding.take(position)
        self._changed()
        return entry

    def recount(self, symbol: str, amount: Decimal, reference: str, time_ns: int) -> LedgerEntry:
        """Move ``amount`` of profit from what a position has still to earn to what is realized. Equity stays."""
        holding = self._holding(symbol)
        position = msgspec.structs.replace(holding.position, cost=holding.position.cost + amount)
        entry = settlement(reference, amount, ZERO, self.currency, time_ns)
        self._ledger.post(entry)
        self._by_symbol[symbol] = position
        holding.take(position)
        self._changed()
        return entry

    def set_mark(self, symbol: str, price: Decimal) -> None:
        """Value the position in ``symbol`` at ``price``. What is not listed cannot be held: its marks mean nothing."""
        holding = self._holdings.get(symbol)
        if holding is not None:
            self._marks[symbol] = price
            if holding.position.contracts:
                holding.is_valued = False
                self._equity = None

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
        held = {position.symbol: position for position in positions}
        for symbol in held:
            self._holding(symbol)
        self._marks.clear()
        for symbol, holding in self._holdings.items():
            if symbol in marks:
                self._marks[symbol] = marks[symbol]
            position = self._by_symbol[symbol] = held.get(symbol) or Position(symbol)
            holding.take(position)
        self._seen_trades = dict.fromkeys(seen_trades)
        self._seen_funding = dict.fromkeys(seen_funding)
        self._changed()

    # -- inside --------------------------------------------------------------------------------------------------

    def _holding(self, symbol: str) -> _Holding:
        try:
            return self._holdings[symbol]
        except KeyError:
            raise UnknownInstrument(symbol, self._instruments) from None

    def _valued(self, symbol: str) -> _Holding:
        holding = self._holding(symbol)
        if not holding.is_valued:
            holding.revalue()
        return holding

    def _collateral_of(self, own: Position) -> Decimal:
        collateral = own.isolated_margin
        if collateral is not None:
            return collateral
        collateral = self._ledger.balance
        for holding in self._open:
            margin = holding.position.isolated_margin
            if margin is not None:
                collateral -= margin
            elif holding.position is not own:
                if not holding.is_valued:
                    holding.revalue()
                collateral += holding.unrealized - holding.maintenance
        return collateral

    def _changed(self) -> None:
        """Bring what is derived from positions and ledger up to date."""
        self.revision += 1
        self._equity, self._liquidation_prices = None, {}
        self._open, positions = [], []
        for holding in self._holdings.values():
            if holding.position.contracts:
                self._open.append(holding)
                positions.append(holding.position)
        self.positions = tuple(positions)

    def _margin_for(self, instrument: Instrument, before: Position, fill: Fill) -> Decimal:
        signed = fill.signed_contracts
        opening = signed if before.contracts * signed >= 0 else max(ZERO, abs(signed) - abs(before.contracts))
        return initial_margin(instrument.notional(opening, fill.price), self.leverage)

    def _margin_of(self, holding: _Holding) -> Decimal:
        margin = holding.position.isolated_margin
        return initial_margin(self._valued(holding.position.symbol).value, self.leverage) if margin is None else margin
