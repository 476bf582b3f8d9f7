from app.backtest.extras import require, require_cluster, require_compiled
from app.backtest.origin import code_digest, data_files, origin_of
from app.backtest.page import figure, plotting, write_page
from app.backtest.recorder import BacktestFigures
from app.backtest.report import write_report
from app.backtest.run import Backtest
from app.backtest.statistics import Statistics, daily_returns
from app.backtest.whole_file import remove_drafts, whole_file

__all__ = [
    "Backtest",
    "BacktestFigures",
    "Statistics",
    "code_digest",
    "daily_returns",
    "data_files",
    "figure",
    "origin_of",
    "plotting",
    "remove_drafts",
    "require",
    "require_cluster",
    "require_compiled",
    "whole_file",
    "write_page",
    "write_report",
]
