"""A bot that was away for days, with a position at the venue: what was paid and traded meanwhile is booked once."""

from contextlib import suppress
from decimal import Decimal

import pytest

from tests.builders import target
from tests.contracts.place import Place
from tests.loopback.binance import LoopbackBinance
from tests.loopback.hyperliquid import LoopbackHyperliquid
from tests.loopback.profile import write_profile

HOUR_MS = 3_600_000
SIZE = Decimal("0.01")
RATE = Decimal("0.0001")


class Away(Place):
    """A bot that holds 0.01, bought at 50,000, with a stop at 45,000, and is stopped."""

    async def hold(self):
        symbol = self.venue.symbol
        await self.go_to("50000", lambda: self.bot.execution.stage.books.portfolio.mark(symbol) == 50_000)
        self.bot.execution.stage.pursue([target(SIZE, symbol=symbol, stop="45000")])
        await self.go_to("50000", lambda: self.held == SIZE)
        await self.go_to("50000", lambda: len(self.venue.engine.open_orders()) == 1)
        await self.stop()

    def let_pass(self, hours, every_h):
        """Let hours go by at the venue, with a settlement after each so many of them."""
        for _ in range(hours // every_h):
            self.venue.skew_ms += every_h * HOUR_MS
            self.venue.step()
            self.venue.fund(RATE)

    async def agrees(self):
        """Wait until the books have been compared, and found to agree."""
        state = self.bot.runtime.context.trading_state
        await self.go_to(str(self.venue.price), lambda: not state.current.reasons)

    @property
    def books(self):
        return self.bot.execution.stage.books.portfolio


@pytest.fixture(params=[LoopbackBinance, LoopbackHyperliquid], ids=lambda venue: venue.name)
async def away(request, tmp_path, monkeypatch):
    venue = await request.param().start()
    venue.rate = RATE
    profile = tmp_path / "loopback.toml"
    for name, value in write_profile(profile, venue, tmp_path / "state").items():
        monkeypatch.setenv(name, value)
    made = Away(venue, profile, "ccxt")
    await made.start()
    await made.hold()
    yield made
    with suppress(ExceptionGroup):
        await made.stop()
    await venue.stop()


@pytest.mark.parametrize("every_h", [8, 1])
async def test_the_funding_of_a_week_is_booked_once(away, every_h):
    """Eight days: 24 settlements, or 192 where one is hourly; after a second start there are not more."""
    away.let_pass(8 * 24, every_h)
    for _ in range(2):
        await away.start()
        await away.agrees()
        assert away.books.balance == away.venue.engine.books.balance
        assert away.books.ledger.funding == sum(paid.amount for paid, _ in away.venue.settled)
        assert len(away.venue.settled) == 8 * 24 // every_h
        assert away.held == SIZE
        await away.stop()
    await away.start()


@pytest.mark.parametrize("day", [1, 9])
async def test_a_stop_that_was_met_while_nobody_looked_is_found_after_ten_days(away, day):
    """Its fill is one of the bot's own: the position is closed in its books, with what was paid until then."""
    away.let_pass(day * 24, 8)
    away.venue.step("44000")
    assert away.venue.engine.books.positions == ()
    away.let_pass((10 - day) * 24, 8)
    await away.start()
    await away.agrees()
    assert away.held == 0
    assert away.books.balance == away.venue.engine.books.balance
    assert away.books.ledger.funding == sum(paid.amount for paid, _ in away.venue.settled) != 0
    assert not away.bot.execution.stage.orders()


@pytest.mark.parametrize("day", [1, 9])
async def test_what_a_hand_traded_meanwhile_is_found_too(away, day):
    """Somebody bought 0.01 more: it is in the books, and sold again, for the bot's target is 0.01."""
    away.let_pass(day * 24, 8)
    away.venue.trade_by_hand()
    away.let_pass((10 - day) * 24, 8)
    await away.start()
    await away.agrees()
    await away.go_to("50000", lambda: away.held == SIZE and not away.bot.execution.stage.growing())
    assert [position.contracts for position in away.venue.engine.books.positions] == [SIZE]
    assert away.books.balance == away.venue.engine.books.balance
