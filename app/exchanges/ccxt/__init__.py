from app.exchanges.ccxt.adapter import CcxtExchange
from app.exchanges.ccxt.market import CcxtMarket
from app.exchanges.ccxt.past import listed_ns, pages_of
from app.exchanges.ccxt.venues import credentials_of

__all__ = ["CcxtExchange", "CcxtMarket", "credentials_of", "listed_ns", "pages_of"]
