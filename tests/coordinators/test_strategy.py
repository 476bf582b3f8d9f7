"""What the strategy coordinator does: warm-up, memory, failures, halts."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest
from dependency_injector import providers

from app.coordinators.strategy import UnknownSymbol
from app.domain.events import Severity
from app.domain.records import MemoryLost, StateSaved, StrategySetAside
from app.lifecycle import HealthState, StartFailed
from app.settings.models import SizingSettings, StrategySettings
from app.strategies import create
from app.telemetry.fact_bus import FactBus
from tests.builders import BTC, ETH, bar, instrument
from tests.fakes.exchange import FakeExchange
from tests.settling import settle

ONE = SizingSettings(model="fixed_quantity", quantity=Decimal(1))


def trend(symbol=BTC, **params):
    settings = StrategySettings(strategy="trend", symbols=(symbol,), params={"fast": 1, "slow": 2} | params, sizing=ONE)
    return create("trend", settings)


def bars(*closes):
    return tuple(bar(close, index) for index, close in enumerate(closes))


@pytest.fixture
async def strategies(container):
    """Give the container strategies; stop it at the end, on an exchange that confirms nothing."""

    def use(*chosen):
        container.strategies.override(providers.Object(chosen))
        return chosen

    yield use
    await _stop(container)


async def test_history_warms_up_and_never_trades(container, exchange, strategies):
    """Two bars of history are enough to act on the first live bar, and nothing was ordered for history."""
    strategies(*trend())
    exchange.bars = bars("100", "101")
    await container.init_resources()
    assert not exchange.submitted
    assert (await container.bot().strategy.health_check()).details["warm"] == "1"

    exchange.tell(bar("102", 2))
    await settle()
    assert [order.contracts for order in exchange.submitted] == [Decimal(1)]


async def test_history_that_cannot_be_true_warms_nobody_up(container, exchange, strategies):
    """Of two bars one has a price below zero and one is no number: the strategy has seen neither."""
    strategies(*trend())
    exchange.bars = (bar("-100"), bar("100", 1, high="NaN", low="NaN"))
    await container.init_resources()
    assert (await container.bot().strategy.health_check()).details["warm"] == "0"


async def test_a_strategy_that_raises_is_set_aside_and_the_others_go_on(container, exchange, strategies, mocker):
    [broken], [sound] = trend(), trend(ETH)
    mocker.patch.object(broken, "on_bar", side_effect=ZeroDivisionError("mine"))
    two = FakeExchange(instrument(), instrument(ETH))
    container.exchange.override(providers.Object(two))
    strategies(broken, sound)
    await container.init_resources()
    two.tell(*bars("100", "101", "102"), *(bar(c, i, symbol=ETH) for i, c in enumerate(("1", "2", "3"))))
    await settle()

    bot = container.bot()
    assert sound.is_warm
    status = await bot.strategy.health_check()
    assert (status.state, "ZeroDivisionError: mine" in status.error) == (HealthState.DEGRADED, True)
    assert container.registry.context.trading_state.current.holds("strategy", f"failed:trend:{BTC}")


@pytest.mark.parametrize("raised", [SystemExit(0), asyncio.CancelledError(), GeneratorExit()])
@pytest.mark.parametrize("past", [True, False])
async def test_whatever_a_strategy_raises_ends_only_the_strategy(container, exchange, strategies, mocker, raised, past):
    """Its sys.exit() would end the process with code 0, its positions and orders left."""
    [broken] = trend()
    mocker.patch.object(broken, "on_bar", side_effect=raised)
    strategies(broken)
    if past:
        exchange.bars = bars("100", "101")
    await container.init_resources()
    if not past:
        exchange.tell(*bars("100", "101", "102"))
        await settle()
    status = await container.bot().strategy.health_check()
    assert (status.state, type(raised).__name__ in status.error) == (HealthState.DEGRADED, True)
    await _stop(container)


@pytest.mark.parametrize("wanted", ["x", None, SystemExit("no")])
async def test_a_strategy_that_cannot_say_its_warm_up_is_set_aside(container, strategies, mocker, wanted):
    """It is named, and the start goes on."""
    [strategy] = strategies(*trend())
    given = {"side_effect": wanted} if isinstance(wanted, BaseException) else {"return_value": wanted}
    mocker.patch.object(type(strategy), "warmup_bars", new_callable=mocker.PropertyMock, **given)
    await container.init_resources()
    state = container.registry.context.trading_state.current
    assert state.holds("strategy", f"failed:trend:{BTC}")


async def test_a_stop_asks_no_strategy_any_more(container, exchange, strategies):
    """One that takes its time would hold the stop up with every bar that comes meanwhile."""
    [strategy] = trend()
    strategies(strategy)
    await container.init_resources()
    await container.bot().strategy.drain()
    exchange.tell(*bars("100", "101", "102"))
    await settle()
    assert strategy.snapshot() == trend()[0].snapshot()
    await _stop(container)


async def test_a_symbol_that_is_not_listed_refuses_the_start(container, strategies):
    strategies(*trend("DOGE/USDT:USDT"))
    with pytest.raises(StartFailed, match="which the exchange does not list: use BTC/USDT:USDT") as refused:
        await container.init_resources()
    assert isinstance(refused.value.cause, UnknownSymbol)


async def test_bars_longer_than_asked_for_degrade(container, exchange, strategies):
    strategies(*trend(interval_s=60))
    await container.init_resources()
    exchange.tell(bar("100", interval_s=3600))
    await settle()
    status = await container.bot().strategy.health_check()
    assert status.state is HealthState.DEGRADED
    assert "bars of 60 s cannot be built from bars of 3600 s" in status.error


async def test_a_restart_goes_on_with_what_was_wanted(container, exchange, journal, strategies):
    """Long before the stop, long after it: no second entry."""
    strategies(*trend())
    exchange.bars = bars("100", "101")
    await container.init_resources()
    exchange.tell(bar("102", 2))
    await settle()
    assert any(record.owner == f"strategy:trend:{BTC}" for record in journal.of(StateSaved))
    await _stop(container)

    [again] = strategies(*trend())
    container.journal.override(providers.Object(journal.crashed()))
    exchange.known.clear()
    exchange.bars = bars("100", "101", "102")
    await container.init_resources()
    assert again.wanted == 1
    await _stop(container)


async def test_a_decision_that_a_kill_kept_from_being_followed_is_made_anew(container, exchange, journal, strategies):
    """The strategy's memory says long, but nobody took the target in: the next bar asks for it again."""
    strategies(*trend())
    exchange.bars = bars("100", "101")
    await container.init_resources()
    exchange.tell(bar("102", 2))
    await settle()
    memory = f"strategy:trend:{BTC}"
    decided = next(i for i, r in enumerate(journal.records) if isinstance(r, StateSaved) and r.owner == memory)
    journal.records, journal.durable_count = journal.records[: decided + 1], decided + 1
    left = journal.crashed()
    await _stop(container)

    [again] = strategies(*trend())
    container.journal.override(providers.Object(left))
    exchange.submitted.clear()
    await container.init_resources()
    assert (again.wanted, again.sequence) == (None, 1)
    exchange.tell(bar("103", 3))
    await settle()
    assert [order.target_sequence for order in exchange.submitted] == [2]


async def test_a_memory_of_another_kind_is_forgotten(container, journal, strategies):
    journal.append(StateSaved(f"strategy:trend:{BTC}", b'{"time_ns": 1, "state": {"fast": "nonsense"}}', 1))
    [fresh] = strategies(*trend())
    container.journal.override(providers.Object(journal.crashed()))
    await container.init_resources()
    assert fresh.wanted is None
    await _stop(container)


@pytest.mark.parametrize("raised", [KeyError("slow"), SystemExit(0), ValueError("no")])
async def test_a_strategy_that_cannot_take_its_memory_over_begins_anew_with_a_warning(
    container, exchange, journal, strategies, mocker, raised
):
    """Nothing of a half-restored state is left, and its first target is no old one: that of the run before was 1."""
    strategies(*trend())
    exchange.bars = bars("100", "101")
    await container.init_resources()
    exchange.tell(bar("102", 2))
    await settle()
    await _stop(container)

    [again] = strategies(*trend())

    def restore(strategy, payload):
        strategy.slow.value = 1e9
        raise raised

    mocker.patch.object(type(again), "restore", restore)
    published = mocker.spy(FactBus, "publish")
    container.journal.override(providers.Object(journal.crashed()))
    exchange.known.clear()
    exchange.submitted.clear()
    exchange.bars = bars("103", "101")
    await container.init_resources()
    [lost] = [call.args[1] for call in published.call_args_list if isinstance(call.args[1], MemoryLost)]
    assert lost.what == f"the memory of strategy trend of {BTC}"
    assert lost.error.startswith(f"{type(raised).__name__}: ")
    assert "(test_strategy.py, line " in lost.error
    assert again.slow.value < 104
    exchange.tell(bar("90", 2))
    await settle()
    assert (again.sequence, container.bot().execution.stage.pursued(BTC)) == (2, 2)
    await _stop(container)


@pytest.mark.parametrize("given", [{"side_effect": ValueError("no snapshot")}, {"return_value": b"text, no json"}])
async def test_a_strategy_that_cannot_say_its_memory_is_set_aside_before_its_target_goes_anywhere(
    container, exchange, journal, strategies, mocker, given
):
    [strategy] = strategies(*trend())
    exchange.bars = bars("100", "101")
    mocker.patch.object(strategy, "snapshot", **given)
    published = mocker.spy(FactBus, "publish")
    await container.init_resources()
    exchange.tell(bar("102", 2))
    await settle()
    assert not exchange.submitted
    assert not [record for record in journal.of(StateSaved) if record.owner.startswith("strategy:")]
    assert container.registry.context.trading_state.current.holds("strategy", f"failed:trend:{BTC}")
    [aside] = [call.args[1] for call in published.call_args_list if isinstance(call.args[1], StrategySetAside)]
    assert (aside.strategy_id, aside.symbol) == ("trend", BTC)
    assert "Traceback" in aside.traceback
    await _stop(container)


async def test_what_a_strategy_remembered_before_it_failed_stays(container, exchange, journal, strategies, mocker):
    [strategy] = strategies(*trend())
    exchange.bars = bars("100", "101")
    await container.init_resources()
    exchange.tell(bar("102", 2))
    await settle()
    saved = journal.of(StateSaved)
    mocker.patch.object(strategy, "on_bar", side_effect=ZeroDivisionError)
    exchange.tell(bar("103", 3))
    await settle()
    await container.bot().strategy.drain()
    assert journal.of(StateSaved) == saved
    await _stop(container)


async def test_while_halted_strategies_learn_and_order_nothing(container, exchange, strategies):
    strategies(*trend())
    exchange.bars = bars("100", "101")
    await container.init_resources()
    trading = container.registry.context.trading_state
    trading.raise_reason("operator", "halt", Severity.HALTED, "by hand")
    exchange.tell(bar("102", 2))
    await settle()
    assert not exchange.submitted

    trading.clear_reason("operator", "halt")
    exchange.tell(bar("103", 3))
    await settle()
    assert [order.contracts for order in exchange.submitted] == [Decimal(1)]
    await _stop(container)


async def test_a_memory_that_cannot_be_saved_does_not_stop_the_strategies(container, exchange, journal, strategies):
    strategies(*trend())
    exchange.bars = bars("100", "101")
    await container.init_resources()
    journal.fail("disk full")
    exchange.tell(bar("102", 2))
    await settle()
    assert (await container.bot().strategy.health_check()).state is HealthState.HEALTHY
    await _stop(container)


async def _stop(container):
    """Stop, on an exchange that confirms nothing."""
    with suppress(ExceptionGroup):
        await container.shutdown_resources()
