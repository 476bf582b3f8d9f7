from app.backtest.compiled.asked import Signals
from app.backtest.compiled.engine import CompiledBacktest
from app.backtest.compiled.errors import HandedOn, NotCompilable
from app.backtest.compiled.market import CompiledMarket
from app.backtest.compiled.story import document_of, figures_of
from app.backtest.compiled.summary import curve_of, statistics_of_trace
from app.backtest.compiled.trace import CompiledFigures, Trace

__all__ = [
    "CompiledBacktest",
    "CompiledFigures",
    "CompiledMarket",
    "HandedOn",
    "NotCompilable",
    "Signals",
    "Trace",
    "curve_of",
    "document_of",
    "figures_of",
    "statistics_of_trace",
]
