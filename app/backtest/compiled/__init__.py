from app.backtest.compiled.engine import CompiledBacktest, CompiledFigures, Signals, Trial
from app.backtest.compiled.errors import HandedOn, NotCompilable
from app.backtest.compiled.market import CompiledMarket
from app.backtest.compiled.story import document_of, figures_of

__all__ = [
    "CompiledBacktest",
    "CompiledFigures",
    "CompiledMarket",
    "HandedOn",
    "NotCompilable",
    "Signals",
    "Trial",
    "document_of",
    "figures_of",
]
