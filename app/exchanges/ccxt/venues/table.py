"""The venues that the adapter knows, each with a file of its own for what is particular to it.

``binanceusdm`` and ``hyperliquid`` are proven against a loopback venue that speaks their protocols; the others need
``exchange.ccxt.experimental``.
"""

from collections.abc import Mapping

from app.exchanges.ccxt.venues import binanceusdm, bybit, hyperliquid, krakenfutures, okx
from app.exchanges.ccxt.venues.venue import Venue

VENUES: Mapping[str, Venue] = {
    module.VENUE.name: module.VENUE for module in (binanceusdm, bybit, hyperliquid, krakenfutures, okx)
}


def credentials_of(venue: str) -> tuple[str, ...]:
    """Return the settings that a venue needs, as keys of ``exchange.ccxt``."""
    return VENUES[venue].credentials
