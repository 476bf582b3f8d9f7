from app.backtest.compiled.engine import CompiledBacktest, CompiledFigures, Signals, Trial
from app.backtest.compiled.errors import EngineNeedsNumba, HandedOn, NotCompilable
from app.backtest.compiled.market import CompiledMarket

__all__ = [
    "CompiledBacktest",
    "CompiledFigures",
    "CompiledMarket",
    "EngineNeedsNumba",
    "HandedOn",
    "NotCompilable",
    "Signals",
    "Trial",
]
