from app.exchanges.ccxt.venues.table import VENUES, credentials_of
from app.exchanges.ccxt.venues.venue import AccountTold, Payload, UnreadableAnswer, Venue

__all__ = ["VENUES", "AccountTold", "Payload", "UnreadableAnswer", "Venue", "credentials_of"]
