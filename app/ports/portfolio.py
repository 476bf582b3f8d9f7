"""The books, read-only."""

from decimal import Decimal
from typing import Protocol

from app.domain.ledger import Ledger
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
