from app.backtest.compiled.engine import CompiledBacktest, CompiledFigures, Signals, Trial
from app.backtest.compiled.errors import HandedOn, NotCompilable
from app.backtest.compiled.market import CompiledMarket
from app.backtest.compiled.story import document_of, figures_of
from app.backtest.compiled.summary import curve_of, statistics_of_trial

__all__ = [
    "CompiledBacktest",
    "CompiledFigures",
    "CompiledMarket",
    "HandedOn",
    "NotCompilable",
    "Signals",
    "Trial",
    "curve_of",
    "document_of",
    "figures_of",
    "statistics_of_trial",
]
