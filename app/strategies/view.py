"""What strategies may see of the account."""

from collections.abc import Mapping
from decimal import Decimal

from app.domain.instrument import Instrument, listed_anew
from app.domain.position import Position
from app.ports.portfolio import PortfolioView


class AccountView:
    """Implements ``StrategyView``."""

    def __init__(self, portfolio: PortfolioView, instruments: Mapping[str, Instrument]) -> None:
        self._portfolio = portfolio
        self._instruments = instruments

    @property
    def equity(self) -> Decimal:
        """Balance plus unrealized PnL."""
        return self._portfolio.equity

    def position(self, symbol: str) -> Position:
        """Return the position in ``symbol``; flat when there is none."""
        return self._portfolio.position(symbol)

    def mark(self, symbol: str) -> Decimal | None:
        """Return the last mark price; None when none has been seen."""
        return self._portfolio.mark(symbol)

    def instrument(self, symbol: str) -> Instrument:
        """Return the instrument ``symbol``."""
        return self._instruments[symbol]

    def list_anew(self, instrument: Instrument) -> None:
        """Show an instrument as the exchange lists it now."""
        self._instruments = listed_anew(self._instruments, instrument)
