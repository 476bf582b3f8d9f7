from app.exchanges.ccxt.adapter import CcxtExchange
from app.exchanges.ccxt.market import CcxtMarket
from app.exchanges.ccxt.venues import VENUES

__all__ = ["VENUES", "CcxtExchange", "CcxtMarket"]
