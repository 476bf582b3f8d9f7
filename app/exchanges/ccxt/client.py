"""Opens a client of ccxt that changes nothing while it connects, rounds nothing, and does not wait by itself."""

import asyncio
import logging
from collections.abc import Iterator, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import ccxt
import ccxt.pro

from app.exchanges.ccxt.guarded import MS, OpenedAnew
from app.exchanges.ccxt.venues import VENUES, Venue
from app.exchanges.ccxt.venues.venue import no_validity
from app.settings.ccxt import CcxtSettings

WINDOW_S_MAX = 60.0
"""Longer ones venues refuse (binance, 2026-11)."""


def open_client(settings: CcxtSettings, *, valid_s: float, with_keys: bool) -> Any:  # noqa: ANN401 - ccxt has no types
    """Return a client of the venue. Nothing is sent yet.

    Args:
        settings: The venue, its address and its keys.
        valid_s: How long an order is valid.
        with_keys: False for market data alone.
    """
    venue_class = getattr(ccxt.pro, settings.venue)
    venue = VENUES[settings.venue]
    guarded = type(venue.name, (venue.guard, venue_class), {"__module__": __name__})
    client = guarded(
        {
            # Not Decimal: ccxt reads its own results again, and takes a Decimal for nothing (4.5.90: fees vanish).
            "number": str,
            "reduceFees": False,  # sums of fees are floats
            "enableRateLimit": False,
            "timeout": int(settings.request_timeout_s * MS),
            "logger": _silent(),
            "aiohttp_trust_env": settings.url is None,
            "options": {
                "recvWindow": int(_window_s(settings, venue, valid_s) * MS),
                "warnOnFetchOpenOrdersWithoutSymbol": False,
                "adjustForTimeDifference": False,
                "fetchCurrencies": False,
                # Whoever listens to the account would ask for positions, past the limiter, for nothing that we read.
                "watchPositions": {"fetchPositionsSnapshot": False},
            },
            **(_keys(settings) if with_keys else {}),
        }
    )
    client.valid_ms = int(valid_s * MS)
    if client.precisionMode != ccxt.TICK_SIZE:
        raise ValueError(f"{settings.venue} counts digits where this adapter needs steps")
    # Currencies are of no use here, and with keys are asked for at an endpoint that many keys may not use.
    client.has = {**client.has, "fetchCurrencies": False}
    client.streaming = {**client.streaming, "keepAlive": int(settings.ping_every_s * MS), "maxPingPongMisses": 2}
    if settings.demo:
        getattr(client, venue.demo_by)(True)  # noqa: FBT003 - ccxt's signature
    if settings.url is not None:
        client.origins = tuple(_readdress(client.urls["api"], settings.url))
    return client


async def close_client(client: Any) -> None:  # noqa: ANN401 - ccxt has no types
    """Close a client's sockets. ccxt waits a quarter of a second in it, for nothing that we need."""
    client.timeout_on_exit = 0
    await client.close()


async def close_sockets(client: Any, why: str) -> None:  # noqa: ANN401 - ccxt has no types
    """Close a client's websockets; whoever waits for them is told, which ccxt does not do."""
    sockets = _sockets(client)
    for socket in sockets:
        # Forgotten first, and marked: whoever is told opens a new one at once, which its end must not take along.
        del client.clients[socket.url]
        socket.error = OpenedAnew(why)
        socket.reject(socket.error)
    await asyncio.gather(*(socket.close() for socket in sockets))


def has_sockets(client: Any) -> bool:  # noqa: ANN401 - ccxt has no types
    """Whether a client has websockets, and all of them are open."""
    sockets = _sockets(client)
    return bool(sockets) and all(socket.connected.done() and socket.isConnected for socket in sockets)


def forget_listen_keys(client: Any) -> None:  # noqa: ANN401 - ccxt has no types
    """Have a client ask for a new key of the account's stream when it opens the next one."""
    for options in client.options.values():
        if isinstance(options, dict) and "lastAuthenticatedTime" in options:
            options["lastAuthenticatedTime"] = 0


def set_clock(client: Any, offset_s: float) -> None:  # noqa: ANN401 - ccxt has no types
    """Have a client stamp its requests by a clock that is so far before ours, in seconds."""
    # ccxt takes it off the machine's time.
    client.options["timeDifference"] = round(-offset_s * MS)


def _window_s(settings: CcxtSettings, venue: Venue, valid_s: float) -> float:
    """Return how long a request is valid that does not say so itself.

    Where orders do, that is what is asked, and what takes something back: it may arrive as late as its answer is waited
    for. Else a machine that is slow for longer than an order is valid could not read its account.
    """
    if venue.validity is no_validity:
        return valid_s
    return max(valid_s, min(settings.request_timeout_s, WINDOW_S_MAX))


def _sockets(client: Any) -> list[Any]:  # noqa: ANN401 - ccxt has no types
    # Among them are its sessions of REST, under names that are no addresses.
    return [socket for url, socket in client.clients.items() if "://" in url]


def _keys(settings: CcxtSettings) -> dict[str, str]:
    given = {
        "apiKey": settings.api_key,
        "secret": settings.secret,
        "password": settings.password,
        "privateKey": settings.private_key,
    }
    keys = {name: secret.get_secret_value() for name, secret in given.items() if secret is not None}
    return keys if settings.wallet_address is None else keys | {"walletAddress": settings.wallet_address}


def _silent() -> logging.Logger:
    """Return a logger that nobody listens to: ccxt hands it every request with its headers, key included."""
    logger = logging.getLogger(f"{__name__}.silent")
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    return logger


def _readdress(urls: MutableMapping[str, Any], base: str) -> Iterator[tuple[str, str]]:
    """Send everything to ``base`` instead of the venue; yield each new address with what it stands for."""
    host = urlsplit(base).netloc
    secure = urlsplit(base).scheme == "https"
    for key, url in urls.items():
        if isinstance(url, MutableMapping):
            yield from _readdress(url, base)
        elif isinstance(url, str):
            original = urlsplit(url)
            kind = "ws" if original.scheme.startswith("ws") else "http"
            path = original.path.rstrip("/") if kind == "http" else original.path
            urls[key] = f"{kind}{'s' if secure else ''}://{host}{path}"
            if kind == "http":
                yield urls[key], f"{original.scheme}://{original.netloc}{path}"
