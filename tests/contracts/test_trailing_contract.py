"""What a trailing target comes to at every adapter: protected at once, followed after the price, closed behind it."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest
from dependency_injector import providers

from app.container import Container
from app.domain.order import OrderType, Purpose
from app.settings import load_settings
from tests.builders import target
from tests.loopback.binance import LoopbackBinance
from tests.loopback.hyperliquid import LoopbackHyperliquid
from tests.loopback.profile import write_profile

PATIENCE_S = 10
PLACES = [(venue, adapter) for venue in (LoopbackBinance, LoopbackHyperliquid) for adapter in ("ccxt", "paper")]


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[1]} at {place[0].name}")
async def place(request, tmp_path, monkeypatch):
    """A venue on loopback, and a bot at it, without any strategy."""
    venue_class, adapter = request.param
    venue = await venue_class().start()
    profile = tmp_path / "loopback.toml"
    kind = "paper" if adapter == "paper" else "testnet"
    for name, value in write_profile(profile, venue, tmp_path / "state", adapter=adapter, kind=kind).items():
        monkeypatch.setenv(name, value)
    container = Container(loaded=load_settings(str(profile), []))
    container.strategies.override(providers.Object(()))
    await container.init_resources()
    yield venue, container.bot(), adapter
    with suppress(ExceptionGroup):
        await container.shutdown_resources()
    await venue.stop()


async def test_a_trailing_target_is_protected_followed_and_closed(place):
    """Bought at 50,000 and trailed by 100: at 51,000 one stop is at 50,900, and stays there until a price meets it."""
    venue, bot, adapter = place

    def held():
        return bot.execution.books.portfolio.position(venue.symbol).contracts

    def stops():
        working = [record.order for record in bot.execution.orders() if record.order.purpose is Purpose.STOP_LOSS]
        at_venue = {record.order.client_order_id for record in venue.engine.open_orders()}
        if adapter == "ccxt" and len(at_venue) != len(working):
            return None
        return [(order.type, order.trigger_price) for order in working]

    def is_at(trigger):
        only = (OrderType.TRAILING_STOP, None) if adapter == "paper" else (OrderType.STOP_MARKET, Decimal(trigger))
        return lambda: stops() == [only]

    async def go_to(price, is_so):
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                venue.step(price)
                await asyncio.sleep(0.1)

    await go_to("50000", lambda: bot.execution.books.portfolio.mark(venue.symbol) == 50_000)
    bot.execution.pursue([target("0.01", symbol=venue.symbol, trailing="100")])
    await go_to("50000", lambda: held() == Decimal("0.01"))
    await go_to("50000", is_at(49_900))
    for price in ("50020", "50400", "51000"):
        venue.step(price)
        await asyncio.sleep(0.1)
    await go_to("51000", is_at(50_900))
    for price in ("50950", "50920"):
        venue.step(price)
        await asyncio.sleep(0.1)
    assert is_at(50_900)()
    await go_to("50800", lambda: not held())
    await go_to("50800", lambda: not bot.execution.orders())
    if adapter == "ccxt":
        assert venue.engine.books.positions == ()
        assert venue.engine.open_orders() == ()
