"""What connecting to hyperliquid must not do: a stub on loopback answers its questions and counts what is signed.

It is no conformance: fills, positions and streams of the account are not there.
"""

import asyncio
import json
import time

import pytest
from aiohttp import WSMsgType, web

from app.domain.events import OrderAccepted
from app.domain.market import Bar, MarkPrice, Quote
from app.exchanges.ccxt import CcxtExchange
from app.settings.models import Settings
from tests.builders import limit

SYMBOL = "BTC/USDC:USDC"
WALLET = "0x" + "1" * 40
PRIVATE_KEY = "0x" + "22" * 32
UNIVERSE = {"universe": [{"szDecimals": 5, "name": "BTC", "maxLeverage": 40}], "marginTables": []}
CONTEXT = {
    "funding": "0.0000125", "openInterest": "1", "prevDayPx": "1", "dayNtlVlm": "1", "premium": "0", "midPx": "50000",
    "oraclePx": "50000", "markPx": "50001", "impactPxs": ["1", "2"], "dayBaseVlm": "1",
}  # fmt: skip


class Stub:
    """Answers what connecting asks, and takes down what is signed."""

    def __init__(self):
        self.signed = []

    async def rest(self, request):
        asked = await request.json()
        if request.path == "/exchange":
            self.signed.append(asked["action"])
            status = {"resting": {"oid": 77, "cloid": asked["action"]["orders"][0]["c"]}}
            return web.json_response({"status": "ok", "response": {"type": "order", "data": {"statuses": [status]}}})
        return web.json_response(
            {
                "exchangeStatus": {"time": time.time_ns() // 1_000_000, "specialStatuses": None},
                "metaAndAssetCtxs": [UNIVERSE, [CONTEXT]],
                "spotMetaAndAssetCtxs": [{"tokens": [], "universe": []}, []],
                "perpDexs": [None],
                "candleSnapshot": [],
            }.get(asked["type"], {"none": True})
        )

    async def socket(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                wanted = json.loads(message.data).get("subscription", {})
                for told in self.told(wanted):
                    await socket.send_json(told)
        return socket

    @staticmethod
    def told(wanted):
        now = time.time_ns() // 1_000_000
        if wanted.get("type") == "l2Book":
            levels = [[{"px": "50000", "sz": "1", "n": 1}], [{"px": "50001", "sz": "2", "n": 1}]]
            yield {"channel": "l2Book", "data": {"coin": "BTC", "time": now, "levels": levels}}
        elif wanted.get("type") == "candle":
            for minutes in (2, 1):
                opened = now - minutes * 60_000
                prices = dict.fromkeys("ohlc", "50000")
                yield {
                    "channel": "candle",
                    "data": {"t": opened, "T": opened + 59_999, "s": "BTC", "i": "1m", "v": "1", "n": 1} | prices,
                }


@pytest.fixture
async def stub():
    made = Stub()
    app = web.Application()
    app.router.add_get("/ws", made.socket)
    app.router.add_post("/{path:.*}", made.rest)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def exchange(stub):
    ccxt = {
        "venue": "hyperliquid", "experimental": True, "url": stub.url, "wallet_address": WALLET,
        "private_key": PRIVATE_KEY,
    }  # fmt: skip
    settings = Settings(
        account={"currency": "USDC"},
        exchange={"adapter": "ccxt", "ccxt": ccxt},
        strategies={"trend": {"strategy": "trend", "symbols": [SYMBOL]}},
    )
    made = CcxtExchange(settings)
    await made.connect()
    yield made
    await made.close()


async def until(exchange, kinds, seconds=5):
    """Return the first event of each kind."""
    found, deadline = {}, time.monotonic() + seconds
    while found.keys() != kinds and time.monotonic() < deadline:
        event = exchange.next_event()
        if event is None:
            await asyncio.sleep(0.01)
        elif type(event) in kinds:
            found.setdefault(type(event), event)
    return found


async def test_connecting_approves_no_fee_and_names_no_referrer(stub, exchange):
    await until(exchange, {Quote})
    assert stub.signed == []


async def test_an_order_pays_nobody_and_carries_our_id(stub, exchange):
    exchange.submit(
        limit("main-1-000001", symbol=SYMBOL, contracts="0.01", price="40000", created_ns=time.time_ns()),
    )
    told = await until(exchange, {OrderAccepted})
    assert told[OrderAccepted].client_order_id == "main-1-000001"
    [action] = stub.signed
    assert action["type"] == "order"
    assert "builder" not in action
    assert len(action["orders"][0]["c"]) == 34


async def test_quotes_candles_and_marks_come_where_no_stream_has_them_together(exchange):
    told = await until(exchange, {Quote, Bar, MarkPrice})
    assert told.keys() == {Quote, Bar, MarkPrice}
    assert (told[Quote].bid, told[Quote].ask, told[MarkPrice].price) == (50_000, 50_001, 50_001)
