from app.exchanges.ccxt.adapter import CcxtExchange
from app.exchanges.ccxt.market import CcxtMarket

__all__ = ["CcxtExchange", "CcxtMarket"]
