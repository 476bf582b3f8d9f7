from app.backtest.origin import origin_of
from app.backtest.page import ReportNeedsPlotly, figure, plotting, write_page
from app.backtest.recorder import BacktestFigures
from app.backtest.report import write_report
from app.backtest.run import Backtest
from app.backtest.statistics import Statistics, daily_returns

__all__ = [
    "Backtest",
    "BacktestFigures",
    "ReportNeedsPlotly",
    "Statistics",
    "daily_returns",
    "figure",
    "origin_of",
    "plotting",
    "write_page",
    "write_report",
]
