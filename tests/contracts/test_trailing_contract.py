"""What a trailing target comes to at every adapter: protected at once, followed after the price, closed behind it."""

from contextlib import suppress
from decimal import Decimal

import pytest

from app.domain.order import OrderType, Purpose
from tests.builders import target
from tests.contracts.place import Place
from tests.loopback.binance import LoopbackBinance
from tests.loopback.hyperliquid import LoopbackHyperliquid
from tests.loopback.profile import write_profile

PLACES = [(venue, adapter) for venue in (LoopbackBinance, LoopbackHyperliquid) for adapter in ("ccxt", "paper")]


class Trailing(Place):
    """What becomes of a trailing target."""

    def stop_is_at(self, trigger):
        """Return whether one stop works, here and at the venue, and is there. Where paper holds it, it alone knows."""
        working = [
            record.order for record in self.bot.execution.stage.orders() if record.order.purpose is Purpose.STOP_LOSS
        ]
        at_venue = {record.order.client_order_id for record in self.venue.engine.open_orders()}
        if self.adapter == "ccxt" and len(at_venue) != len(working):
            return False
        only = (OrderType.TRAILING_STOP, None) if self.adapter == "paper" else (OrderType.STOP_MARKET, Decimal(trigger))
        return [(order.type, order.trigger_price) for order in working] == [only]

    async def trail_to_51000(self):
        """Buy at 50,000, trailed by 100, and go to 51,000, where the stop is at 50,900."""
        symbol = self.venue.symbol
        await self.go_to("50000", lambda: self.bot.execution.stage.books.portfolio.mark(symbol) == 50_000)
        self.bot.execution.stage.pursue([target("0.01", symbol=symbol, trailing="100")])
        await self.go_to("50000", lambda: self.held == Decimal("0.01"))
        await self.go_to("50000", lambda: self.stop_is_at(49_900))
        await self.pass_by("50020", "50400", "51000")
        await self.go_to("51000", lambda: self.stop_is_at(50_900))

    async def close_below(self):
        """Fall to where the stop just holds, and then past it."""
        await self.pass_by("50950", "50920")
        assert self.stop_is_at(50_900)
        assert self.held
        await self.go_to("50895", lambda: not self.held)
        await self.go_to("50895", lambda: not self.bot.execution.stage.orders())


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[1]} at {place[0].name}")
async def place(request, tmp_path, monkeypatch):
    venue_class, adapter = request.param
    venue = await venue_class().start()
    profile = tmp_path / "loopback.toml"
    kind = "paper" if adapter == "paper" else "testnet"
    for name, value in write_profile(profile, venue, tmp_path / "state", adapter=adapter, kind=kind).items():
        monkeypatch.setenv(name, value)
    made = Trailing(venue, profile, adapter)
    await made.start()
    yield made
    with suppress(ExceptionGroup):
        await made.stop()
    await venue.stop()


async def test_a_trailing_target_is_protected_followed_and_closed(place):
    """At 51,000 one stop is at 50,900, and stays there until a price meets it."""
    await place.trail_to_51000()
    await place.close_below()
    if place.adapter == "ccxt":
        assert place.venue.engine.books.positions == ()
        assert place.venue.engine.open_orders() == ()


@pytest.mark.parametrize("is_canceled", [False, True])
async def test_a_restart_finds_the_stop_where_it_was(place, is_canceled):
    """The bot stops at 51,000 and starts at 50,950: the stop is at 50,900, even one that was canceled meanwhile."""
    await place.trail_to_51000()
    await place.stop()
    await place.pass_by("50950")
    if is_canceled:
        for known in place.venue.working():
            place.venue.cancel(known)
    await place.start()
    await place.go_to("50950", lambda: place.stop_is_at(50_900))
    await place.close_below()
