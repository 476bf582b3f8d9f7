from app.exchanges.ccxt.adapter import CcxtExchange
from app.exchanges.ccxt.market import CcxtMarket
from app.exchanges.ccxt.past import Past
from app.exchanges.ccxt.venues import credentials_of

__all__ = ["CcxtExchange", "CcxtMarket", "Past", "credentials_of"]
