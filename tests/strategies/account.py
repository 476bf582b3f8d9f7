"""What strategies see in tests: an account with a fixed equity and prices that the test sets."""

from decimal import Decimal

from app.domain.position import Position
from app.settings.models import SizingSettings
from app.strategies import sizing_from
from tests.builders import BTC, ETH, instrument

ONE_COIN = {"model": "fixed_quantity", "quantity": 1}


class FakeView:
    """Implements ``StrategyView``."""

    def __init__(self, equity="10000") -> None:
        self.equity = Decimal(equity)
        self.positions = {}
        self.marks = {}
        self.instruments = {BTC: instrument(), ETH: instrument(ETH)}

    def position(self, symbol):
        return self.positions.get(symbol) or Position(symbol)

    def mark(self, symbol):
        return self.marks.get(symbol)

    def instrument(self, symbol):
        return self.instruments[symbol]

    def hold(self, contracts):
        self.positions[BTC] = Position(BTC, Decimal(contracts), Decimal(contracts) * 100)


def made(kind, sizing=None, strategy_id="mine", symbol=BTC, **params):
    """Return a strategy of a class, by default one that takes one coin."""
    sized = sizing_from(SizingSettings(**(sizing or ONE_COIN)))
    return kind(strategy_id, symbol, kind.Params(**params), sized)


def targets(strategy, view, events):
    """Return all targets that a strategy gives for the events."""
    return [target for event in events if (target := strategy.on_event(event, view)) is not None]
