"""The books, read-only."""

from decimal import Decimal
from typing import Protocol

from app.domain.ledger import Ledger
from app.domain.margin import MarginMode
from app.domain.position import Position


class PortfolioView(Protocol):
    """What others may see of the portfolio. Money in the account's settlement currency."""

    @property
    def currency(self) -> str:
        """The settlement currency."""

    @property
    def balance(self) -> Decimal:
        """Deposits + realized PnL (gross) - fees + funding."""

    @property
    def equity(self) -> Decimal:
        """Balance plus unrealized PnL."""

    @property
    def unrealized(self) -> Decimal:
        """Profit of closing everything at the marks, before fees."""

    @property
    def positions(self) -> tuple[Position, ...]:
        """All that are not flat."""

    @property
    def ledger(self) -> Ledger:
        """Totals by account."""

    @property
    def margin_available(self) -> Decimal:
        """Equity that no position binds."""

    def position(self, symbol: str) -> Position:
        """Return the position in ``symbol``; flat when there is none."""

    def mark(self, symbol: str) -> Decimal | None:
        """Return the last mark price; None when none has been seen."""

    def liquidation_price(self, symbol: str) -> Decimal | None:
        """Return the mark at which the position is liquidated; None when flat or out of reach."""


class MarginView(PortfolioView, Protocol):
    """The portfolio with what binds its positions, and what they may lose: risk judges by it."""

    @property
    def revision(self) -> int:
        """Counts the changes of positions and ledger; marks change neither."""

    @property
    def margin_mode(self) -> MarginMode:
        """Whether the positions share the account's collateral."""

    @property
    def leverage(self) -> Decimal:
        """What initial margins are worked out with."""

    @property
    def maintenance_margin(self) -> Decimal:
        """Sum of the positions' maintenance margins, at the marks."""

    def notional(self, symbol: str) -> Decimal:
        """Return the unsigned value of the position at its mark; at its cost when there is no mark yet."""

    def maintenance_of(self, symbol: str) -> Decimal:
        """Return the maintenance margin of one position, at its mark."""

    def collateral_of(self, symbol: str) -> Decimal:
        """Return what stands for a position: its isolated margin, or the rest of the account under cross margin."""
