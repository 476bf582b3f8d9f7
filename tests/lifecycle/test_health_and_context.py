"""Health tells the truth, and nobody can hold a stale context or change one."""

import asyncio
import dataclasses

import pytest
from dependency_injector import providers

from app.lifecycle import (
    BaseCoordinator,
    ContextCell,
    CoordinatorContext,
    FieldRefused,
    HealthState,
    NotProvided,
    NotStarted,
    Phase,
    TaskState,
    TaskStatus,
)
from app.lifecycle.inspection import inspect
from tests.lifecycle.parts import NAMES, Part, Planned, parts, stubborn


def context():
    return CoordinatorContext(settings=None, clock=None, ids=None, journal=None)


class Sick(Part):
    async def health_check(self):
        raise Planned("looked, and fell over")


class Hanging(Part):
    async def health_check(self):
        await stubborn()


async def report_of(*members, phase=Phase.READY):
    return await inspect(phase, members, (), 0.02)


@pytest.mark.parametrize("kind", [Sick, Hanging])
async def test_a_check_that_raises_or_hangs_is_unhealthy_and_hurts_no_other(kind):
    report = await report_of(kind("sick", None), Part("well", None))
    assert [item.state for item in report.components] == [HealthState.UNHEALTHY, HealthState.HEALTHY]
    assert report.components[0].error
    assert (report.alive, report.ready) == (True, False)
    await asyncio.sleep(0.3)


async def test_an_unhealthy_optional_part_leaves_the_bot_ready():
    assert (await report_of(Sick("sick", None, critical=False))).ready


async def test_a_part_is_as_unhealthy_as_the_worst_of_its_tasks():
    def task(name, state, *, critical):
        return TaskStatus(name=name, owner="well", critical=critical, state=state, restarts=1, last_error="e")

    tasks = (
        task("fine", TaskState.RUNNING, critical=True),
        task("dead", TaskState.EXHAUSTED, critical=True),
        task("shaky", TaskState.RESTARTING, critical=False),
    )
    report = await inspect(Phase.READY, (Part("well", None),), tasks, 0.02)
    assert report.components[0].state is HealthState.UNHEALTHY
    assert report.components[0].error == "dead exhausted after 1 restarts: e; shaky restarting after 1 restarts: e"


async def test_only_a_bot_that_is_up_is_ready():
    answers = {phase: await report_of(Part("well", None), phase=phase) for phase in Phase}
    assert [phase for phase, report in answers.items() if report.ready] == [Phase.READY]
    assert [phase for phase, report in answers.items() if not report.started] == [Phase.NEW, Phase.STARTING]
    assert [phase for phase, report in answers.items() if not report.alive] == [Phase.STOPPED, Phase.FAILED]


async def test_a_bot_that_was_never_started_is_not_healthy():
    container, _ = parts()
    report = await container.health()
    assert (report.phase, report.ready, report.components) == (Phase.NEW, False, ())


async def test_a_status_says_since_when_and_when_it_last_succeeded():
    part = BaseCoordinator()
    assert (await part.health_check()).last_success_age_s is None
    part.beat()
    assert (await part.health_check()).last_success_age_s >= 0
    assert (await part.health_check()).since_s >= 0


async def test_a_coordinator_that_overrides_nothing_does_nothing():
    part = BaseCoordinator()
    with pytest.raises(NotStarted):
        _ = part.context
    cell = ContextCell()
    part.bind(cell)
    with pytest.raises(NotStarted):
        _ = part.context
    given = context()
    assert await part.initialize(given) is given
    await part.start_background_tasks(context(), None)
    await part.drain()
    await part.shutdown()


# -- context ----------------------------------------------------------------------------------------------------


def test_a_context_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        context().version = 9


def test_a_field_that_nobody_has_written_cannot_be_read():
    with pytest.raises(NotProvided, match="nobody has provided 'portfolio' yet"):
        _ = context().portfolio
    assert "later" in repr(object.__getattribute__(context(), "portfolio"))


def test_each_field_has_one_owner_who_writes_it_once():
    first = context().evolve("execution", portfolio="books")
    assert (first.portfolio, first.version, dict(first.owners)) == ("books", 1, {"portfolio": "execution"})
    for writer in ("strategy", "execution"):
        with pytest.raises(FieldRefused, match="execution has written it"):
            first.evolve(writer, portfolio="other")


def test_a_given_field_and_an_unknown_field_are_refused():
    with pytest.raises(FieldRefused, match="it is given at the start"):
        context().evolve("runtime", clock="mine")
    with pytest.raises(FieldRefused, match="no such field"):
        context().evolve("runtime", colour="red")


def test_values_are_deeply_immutable():
    table = {"BTC": 1}
    evolved = context().evolve("runtime", instruments=table)
    table["ETH"] = 2
    assert dict(evolved.instruments) == {"BTC": 1}
    with pytest.raises(TypeError):
        evolved.instruments["ETH"] = 2
    with pytest.raises(FieldRefused, match="a list could be changed by anybody"):
        context().evolve("runtime", instruments=[])


async def test_a_new_snapshot_reaches_everybody_at_once_and_only_its_owner_may_make_it():
    container, _ = parts()
    await container.init_resources()
    registry = container.registry
    before = registry.context
    runtime, strategy = registry.coordinator("runtime"), registry.coordinator("strategy")
    runtime.revise(market_data="new")
    seen = {name: registry.coordinator(name).context for name in NAMES}
    assert all(snapshot is registry.context for snapshot in seen.values())
    assert (registry.context.market_data, registry.context.version) == ("new", before.version + 1)
    assert before.market_data == "runtime"
    with pytest.raises(FieldRefused, match="it belongs to runtime"):
        strategy.revise(market_data="stolen")
    await container.shutdown_resources()
    with pytest.raises(NotStarted):
        runtime.revise(market_data="late")


async def test_a_coordinator_that_returns_an_older_context_is_refused():
    class Stale(Part):
        async def initialize(self, context):
            return CoordinatorContext(settings=None, clock=None, ids=None, journal=None)

    container, notes = parts()
    container.strategy_factory.override(providers.Factory(Stale, "strategy", notes))
    with pytest.raises(Exception, match="an older context than it was given"):
        await container.init_resources()
