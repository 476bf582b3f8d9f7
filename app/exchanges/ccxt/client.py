"""Opens a client of ccxt, and takes away from it what a bot with somebody's money may not have.

It changes nothing at the venue while it connects, writes no request and no answer into any log, rounds nothing, and
does not wait by itself: the limiter does.
"""

import asyncio
import logging
from collections.abc import Iterator, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import ccxt
import ccxt.pro

from app.settings.models import CcxtSettings

MS = 1000
HTTP_ERROR = 400
BANNED_S = {418: 120.0, 429: 10.0}
"""Seconds without requests, where the venue does not say how many (binance bans for two minutes at first, 2026-11)."""


class TooManyRequests(ccxt.DDoSProtection):  # type: ignore[misc] # ccxt has no types
    """The venue wants to hear nothing for a while."""

    def __init__(self, status: int, retry_after_s: float) -> None:
        super().__init__(f"{status}: nothing may be sent for {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class OpenedAnew(ccxt.NetworkError):  # type: ignore[misc] # as above
    """We closed the socket ourselves, to open another at once."""


class _Guarded:
    """Stands before the venue's own class of ccxt."""

    origins: tuple[tuple[str, str], ...] = ()
    """Addresses that stand in for the venue's, and what they stand for."""

    @property
    def verbose(self) -> bool:
        """Never: it would print keys and signatures."""
        return False

    @verbose.setter
    def verbose(self, value: object) -> None:
        if value:
            raise ValueError("ccxt's verbose mode prints keys and signatures: it cannot be switched on here")

    def __repr__(self) -> str:
        return f"<client of {type(self).__name__}>"

    async def handle_builder_fee_approval(self) -> bool:
        """Approve nothing: ccxt would sign a fee for itself (hyperliquid), of which every order then pays."""
        return False

    async def set_ref(self) -> None:
        """Name no referrer: ccxt would sign itself as one (hyperliquid)."""

    def handle_errors(self, code: int, reason: str, url: str, method: str, headers: Any, *rest: Any) -> Any:  # noqa: ANN401 - as ccxt calls it
        """Raise what an answer means; ccxt picks the table of codes by the venue's own address.

        Raises:
            TooManyRequests: With how long to be silent, which ccxt does not say.
            ccxt.BadResponse: It was taken for good, and is unreadable: ccxt would make an account without positions of
                it, or an order without an id.
        """
        if code in BANNED_S:
            raise TooManyRequests(code, _retry_after_s(headers, BANNED_S[code]))
        for origin, original in self.origins:
            if url.startswith(origin):
                url = original + url.removeprefix(origin)
                break
        handled = super().handle_errors(code, reason, url, method, headers, *rest)  # type: ignore[misc] # the venue's class
        answer = rest[1]
        if code < HTTP_ERROR and (answer is None or (method == "GET" and answer == {})):
            raise ccxt.BadResponse(f"{code}, and an answer that says nothing")
        return handled


def open_client(settings: CcxtSettings, *, valid_s: float, with_keys: bool) -> Any:  # noqa: ANN401 - ccxt has no types
    """Return a client of the venue. Nothing is sent yet.

    Args:
        settings: The venue, its address and its keys.
        valid_s: How long a signed request is valid.
        with_keys: False for market data alone.
    """
    venue_class = getattr(ccxt.pro, settings.venue)
    guarded = type(settings.venue, (_Guarded, venue_class), {"__module__": __name__})
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
                "recvWindow": int(valid_s * MS),
                "warnOnFetchOpenOrdersWithoutSymbol": False,
                "adjustForTimeDifference": False,
                "fetchCurrencies": False,
                "builderFee": False,
            },
            **(_keys(settings) if with_keys else {}),
        }
    )
    if client.precisionMode != ccxt.TICK_SIZE:
        raise ValueError(f"{settings.venue} counts digits where this adapter needs steps")
    # Currencies are of no use here, and with keys are asked for at an endpoint that many keys may not use.
    client.has = {**client.has, "fetchCurrencies": False}
    client.streaming = {**client.streaming, "keepAlive": int(settings.ping_every_s * MS), "maxPingPongMisses": 2}
    if settings.demo:
        (client.enable_demo_trading if settings.venue == "binanceusdm" else client.set_sandbox_mode)(True)  # noqa: FBT003 - ccxt's signature
    if settings.url is not None:
        client.origins = tuple(_readdress(client.urls["api"], settings.url))
    return client


async def close_sockets(client: Any, why: str) -> None:  # noqa: ANN401 - ccxt has no types
    """Close a client's websockets; whoever waits for them is told, which ccxt does not do."""
    sockets = [socket for url, socket in client.clients.items() if "://" in url]
    for socket in sockets:
        # Forgotten first, and marked: whoever is told opens a new one at once, which its end must not take along.
        del client.clients[socket.url]
        socket.error = OpenedAnew(why)
        socket.reject(socket.error)
    await asyncio.gather(*(socket.close() for socket in sockets))


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


def _retry_after_s(headers: Any, default: float) -> float:  # noqa: ANN401 - ccxt's headers
    for name, value in dict(headers or {}).items():
        if name.lower() == "retry-after":
            try:
                return max(1.0, float(value))
            except ValueError:
                return default
    return default
