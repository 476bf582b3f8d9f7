from app.strategies.catalogue import BUILT_IN, StrategyRefused, create, create_all, strategy_class
from app.strategies.search import Search
from app.strategies.sizing import Sizing, sizing_from
from app.strategies.strategy import BarParams, Feed, Strategy, StrategyParams, Subscription

__all__ = [
    "BUILT_IN",
    "BarParams",
    "Feed",
    "Search",
    "Sizing",
    "Strategy",
    "StrategyParams",
    "StrategyRefused",
    "Subscription",
    "create",
    "create_all",
    "sizing_from",
    "strategy_class",
]
