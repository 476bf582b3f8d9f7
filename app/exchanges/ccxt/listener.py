"""Listens to an account for as long as the bot runs: its orders, its fills, what it holds, and what funding came to."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from loguru import logger

from app.domain.market import SECOND_NS
from app.exchanges.ccxt.account import CcxtAccount
from app.exchanges.ccxt.account_feed import AccountFeed
from app.exchanges.ccxt.client import close_sockets, forget_listen_keys, has_sockets
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.market_streams import MarketStreams
from app.exchanges.ccxt.session import Session
from app.exchanges.ccxt.venues import AccountTold, Payload
from app.exchanges.ccxt.watch import Watch
from app.ports.connection import ExchangeUnavailable

SETTLE_S = 0.5
"""After a socket is connected again until its subscription surely is: then what was missed can be asked for."""
RENEWALS_APART_S = 10.0
"""A venue whose streams lag tells nothing either: it would never come to it if each was closed at once."""
FUNDING_LOOK_S = 5.0
FUNDING_LATE_NS = 10 * SECOND_NS
"""How late a settlement may be booked (binance: seconds, 2026-11)."""


class AccountListener:
    """Whatever breaks is opened again, and everything compared."""

    def __init__(
        self,
        session: Session,
        line: Line,
        feed: AccountFeed,
        reader: CcxtAccount,
        streams: MarketStreams,
    ) -> None:
        """Listen to nothing yet.

        Args:
            session: With the venue.
            line: With keys.
            feed: Where what is told is taken in.
            reader: Where funding is asked for, and what is traded.
            streams: Where it is told when funding settles.
        """
        self._session = session
        self._venue = session.venue
        self._client = line.client
        self._feed = feed
        self._reader = reader
        self._streams = streams
        self._strangers: set[str] = set()
        """Symbols of the account that are not configured, and were told of."""

    def begin(self) -> None:
        """Listen, until the session is closed."""
        streams = [
            ("my trades", self._client.watch_my_trades, self._take_trades),
            ("my orders", self._client.watch_orders, self._take_orders),
        ]
        if (read := self._venue.account_told) is not None:
            streams.append(("my account", self._client.watch_balance, partial(self._take_account, read)))
        for name, ask, take in streams:
            watch = Watch(
                name,
                ask,
                take,
                silence_s_max=None,  # an account that does nothing is silent: pings find a dead socket
                room=self._session.queue.room,
                on_break=self._on_break,
                on_fatal=self._session.refuse,
            )
            self._session.spawn(watch.run(), name)
        self._session.spawn(self._renew(), "renew")
        self._session.spawn(self._follow_funding(), "funding")

    async def _on_break(self, watch: Watch, why: str) -> None:
        logger.bind(stream=watch.name).warning(f"the account's stream broke: {why}")
        if not self._feed.is_deaf:
            # Compared at once, and again when somebody listens; until then nothing leaves that grows.
            self._feed.lose(why)
            self._session.spawn(self._listen_again(why), "reset")

    async def _listen_again(self, why: str) -> None:
        while True:
            await asyncio.sleep(SETTLE_S)
            if has_sockets(self._client):
                break
        await asyncio.sleep(SETTLE_S)
        self._feed.regain(why)

    async def _renew(self) -> None:
        """Open the account's stream anew before its key expires, and when it may have: that, no venue says aloud."""
        every_s, mute = self._session.settings.key_refresh_s, self._feed.mute
        apart_s = min(RENEWALS_APART_S, every_s / 2)
        while True:
            why = "renewed before its key expires"
            with suppress(TimeoutError):
                async with asyncio.timeout(every_s - apart_s):
                    await mute.wait()
                    why = "opened anew: it told nothing of what was filled"
            mute.clear()
            forget_listen_keys(self._client)
            await close_sockets(self._client, why)
            await asyncio.sleep(apart_s)

    async def _follow_funding(self) -> None:
        """Ask what was paid, after each settlement: streams of venues differ in how they tell it, or do not."""
        while True:
            await asyncio.sleep(FUNDING_LOOK_S)
            settled = self._streams.settled(self._session.now_ns - FUNDING_LATE_NS)
            if not settled:
                continue
            try:
                self._feed.put(await self._reader.funding_since(min(settled.values()) - FUNDING_LATE_NS))
            except ExchangeUnavailable as error:
                logger.warning(f"what funding came to cannot be read yet: {error}")
                continue
            self._streams.forget_settled(settled)

    def _take_orders(self, orders: Sequence[dict[str, Any]]) -> None:
        self._feed.note_told()
        for payload in self._traded_here(orders):
            self._feed.hear(payload)

    def _take_trades(self, trades: Sequence[dict[str, Any]]) -> None:
        self._feed.note_told()
        for trade in self._traded_here(trades):
            self._feed.fill(self._reader.fill(trade))

    def _take_account(self, read: Callable[[Payload, str], AccountTold], balance: dict[str, Any]) -> None:
        self._feed.note_told()
        self._feed.put([self._reader.seen(read, balance)])

    def _traded_here(self, told: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield what is told of the configured symbols; the streams tell the whole account."""
        for payload in told:
            symbol = payload.get("symbol")
            # One that is missing makes the answer unreadable: whoever reads it says so.
            if symbol is None or symbol in self._reader.instruments:
                yield payload
            elif symbol not in self._strangers:
                self._strangers.add(symbol)
                logger.bind(symbol=symbol).warning("the account trades a symbol that is not configured: left alone")
