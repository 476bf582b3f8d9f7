from app.backtest.recorder import BacktestFigures
from app.backtest.report import ReportNeedsPlotly, write_report
from app.backtest.statistics import Statistics

__all__ = [
    "BacktestFigures",
    "ReportNeedsPlotly",
    "Statistics",
    "write_report",
]
