"""What an exchange is to the bot."""

from typing import Protocol

from app.ports.account import AccountPort
from app.ports.connection import Connection
from app.ports.market_data import MarketData
from app.ports.order_entry import OrderEntry


class Exchange(Connection, MarketData, AccountPort, OrderEntry, Protocol):
    """Four ports at once: an adapter implements them, and each part of the bot is given the one that it needs."""


PORTS = (Connection, MarketData, AccountPort, OrderEntry)
EXCHANGE_NAMES = tuple(name for port in PORTS for name in vars(port) if not name.startswith("_"))
"""What an adapter that is named by a dotted path must have."""
