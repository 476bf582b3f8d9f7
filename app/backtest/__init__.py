from app.backtest.extras import NeedsExtra, require, require_compiled
from app.backtest.origin import origin_of
from app.backtest.page import figure, plotting, write_page
from app.backtest.recorder import BacktestFigures
from app.backtest.report import write_report
from app.backtest.run import Backtest
from app.backtest.statistics import Statistics, daily_returns

__all__ = [
    "Backtest",
    "BacktestFigures",
    "NeedsExtra",
    "Statistics",
    "daily_returns",
    "figure",
    "origin_of",
    "plotting",
    "require",
    "require_compiled",
    "write_page",
    "write_report",
]
