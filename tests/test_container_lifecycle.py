"""The container's graph: order, needs, overrides, and what is refused before anything is touched."""

import asyncio
import os
import subprocess
import sys

import pytest
from dependency_injector import containers, providers

from app.container_lifecycle import (
    Callable_,
    CoordinatorResource,
    Dependency,
    Factory,
    LifecycleContainer,
    Object,
    Resource,
    Singleton,
    render_mermaid,
    render_text,
)
from app.lifecycle import (
    CoordinatorContext,
    Deadlines,
    DependencyCycle,
    NotStarted,
    OverrideRefused,
    StopRequest,
    UndefinedDependency,
    Unit,
    start_order,
)
from tests.lifecycle.parts import NAMES, Journal, Part, parts

OPENED: list[str] = []


def opened(name):
    """A resource that notes that it was opened and closed."""
    OPENED.append(f"+{name}")
    yield name
    OPENED.append(f"-{name}")


async def opened_later(name):
    """The same, asynchronous."""
    await asyncio.sleep(0)
    OPENED.append(f"+{name}")
    yield name
    OPENED.append(f"-{name}")


class Holder:
    """Holds what it is given."""

    def __init__(self, *held) -> None:
        self.held = held


class Graph(containers.DeclarativeContainer):
    """Resources that are needed in every way that a provider can need another."""

    instance_type = LifecycleContainer
    stop_request = Singleton(StopRequest)
    deadlines = Callable_(lambda: Deadlines())  # noqa: PLW0108 - a provider of a provider needs a call
    base_context = Factory(CoordinatorContext, settings=None, clock=None, ids=None, journal=None)
    choice = Object("paper")
    last = Resource(opened, "last")
    through_singleton = Resource(opened, Singleton(Holder, last).provided.held)
    through_list = Resource(opened, providers.List(Factory(Holder, through_singleton)))
    through_delegate = Resource(opened, Factory(Holder, through_list).provider)
    market = Resource(
        opened,
        providers.Selector(
            choice,
            paper=Factory(Holder, through_delegate),
            live=Factory(Holder, Resource(opened, "live")),
        ),
    )
    alone = Resource(opened, "alone")


@pytest.fixture(autouse=True)
def nothing_opened():
    OPENED.clear()


def needs(container):
    return {node.name: node.needs for node in container.graph()}


def test_units_start_in_the_order_of_their_declaration_as_far_as_needs_allow():
    async def nothing(): ...

    def unit(name, *needed):
        return Unit(name, nothing, nothing, needed)

    def order(*units):
        return [item.name for item in start_order(units)]

    assert order(unit("a"), unit("b", "a"), unit("c")) == ["a", "b", "c"]
    assert order(unit("b", "a"), unit("a"), unit("c")) == ["a", "b", "c"]
    with pytest.raises(DependencyCycle, match="dependency cycle: a -> b -> a"):
        order(unit("a", "b"), unit("b", "a"))


def test_needs_are_found_through_every_kind_of_provider():
    assert needs(Graph()) == {
        "last": (),
        "through_singleton": ("last",),
        "through_list": ("through_singleton",),
        "through_delegate": ("through_list",),
        "market": ("through_delegate",),
        "alone": (),
    }


async def test_what_is_not_chosen_is_never_built():
    container = Graph()
    await container.init_resources()
    await container.shutdown_resources()
    assert "+live" not in OPENED

    container.choice.override(providers.Object("live"))
    OPENED.clear()
    await container.init_resources()
    await container.shutdown_resources()
    assert "+live" in OPENED


def test_the_order_does_not_change_between_processes():
    code = "from tests.test_container_lifecycle import Graph; print([n.name for n in Graph().graph()])"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1


async def test_an_overridden_resource_is_neither_opened_nor_closed():
    container = Graph()
    container.alone.override(providers.Object("mine"))
    assert "alone" not in needs(container)
    await container.init_resources()
    await container.shutdown_resources()
    assert "+alone" not in OPENED


async def test_a_resource_that_overrides_another_takes_its_place():
    container = Graph()
    container.last.override(providers.Resource(opened, "instead"))
    assert needs(container)["through_singleton"] == ("last",)
    await container.init_resources()
    await container.shutdown_resources()
    assert ("+instead" in OPENED, "+last" in OPENED, OPENED[-1]) == (True, False, "-instead")


async def test_an_undefined_dependency_is_named_before_anything_is_touched():
    class Undefined(Graph):
        key = Dependency()
        broken = Resource(opened, key)

    with pytest.raises(UndefinedDependency, match="dependency 'key' is not defined"):
        await Undefined().init_resources()
    assert OPENED == []


async def test_a_cycle_is_named_before_anything_is_touched():
    container = Graph()
    container.last.add_args(container.market)
    with pytest.raises(DependencyCycle, match="last"):
        await container.init_resources()
    assert OPENED == []


async def test_an_asynchronous_override_gives_the_real_object_and_never_a_future():
    container, notes = parts()
    container.file.override(providers.Resource(opened_later, "later"))
    container.runtime_factory.override(providers.Factory(Part, "runtime", notes))
    await container.init_resources()
    assert container.registry.context.journal == "later"
    await container.shutdown_resources()
    assert OPENED == ["+later", "-later"]


async def test_a_part_over_an_asynchronous_resource_is_the_part():
    class Later(Part):
        def __init__(self, later) -> None:
            super().__init__("part", Journal())
            self.later = later

    class WithLater(Graph):
        later = Resource(opened_later, "later")
        part_factory = Factory(Later, later)
        part = CoordinatorResource(part_factory, Graph.base_context)

    container = WithLater()
    await container.init_resources()
    assert container.coordinator("part").later == "later"
    await container.shutdown_resources()


async def test_a_coordinator_is_swapped_by_its_factory_and_never_by_its_resource():
    container, notes = parts()
    with pytest.raises(OverrideRefused, match="override its factory instead"):
        container.strategy.override(providers.Object(None))

    class Mine(Part):
        """Somebody's own."""

    container.strategy_factory.override(providers.Factory(Mine, "strategy", notes))
    await container.init_resources()
    assert isinstance(container.coordinator("strategy"), Mine)
    await container.shutdown_resources()


async def test_overrides_are_refused_while_the_bot_is_up_and_allowed_again_afterwards():
    container, notes = parts()
    await container.init_resources()
    with pytest.raises(OverrideRefused, match="stop it first"):
        container.strategy_factory.override(providers.Object(None))
    with pytest.raises(OverrideRefused, match="stop it first"):
        container.file.reset_override()
    await container.shutdown_resources()
    container.strategy_factory.override(providers.Factory(Part, "strategy", notes))


async def test_a_failed_start_allows_overrides_again():
    container, notes = parts(strategy__initialize="fail")
    with pytest.raises(Exception, match="strategy failed"):
        await container.init_resources()
    notes.plan.clear()
    container.strategy_factory.override(providers.Factory(Part, "strategy", notes))
    await container.init_resources()
    await container.shutdown_resources()


async def test_coordinators_are_there_only_while_the_bot_is_up():
    container, _ = parts()
    with pytest.raises(NotStarted):
        container.coordinator("strategy")
    await container.init_resources()
    assert [container.coordinator(name).name for name in NAMES] == list(NAMES)
    with pytest.raises(NotStarted):
        container.coordinator("nobody")
    await container.shutdown_resources()


async def test_every_transition_is_told_and_one_observer_that_raises_harms_nobody():
    container, _ = parts()
    told = []

    def broken(transition):
        raise LookupError

    container.observe(broken)
    container.observe(told.append)
    await container.init_resources()
    container.observe(broken)
    await container.shutdown_resources()
    assert [(item.component, item.phase) for item in told if item.component == "strategy"] == [
        ("strategy", "make"),
        ("strategy", "initialize"),
        ("strategy", "start_background_tasks"),
        ("strategy", "drain"),
        ("strategy", "shutdown"),
        ("strategy", "release"),
    ]
    assert [item.phase for item in told if item.component == "bot"] == ["ready", "stopped"]
    assert all(item.duration_s >= 0 and item.error is None for item in told)


def test_the_graph_is_printed():
    container, _ = parts()
    text = render_text(container.graph())
    assert text.splitlines()[1].split() == ["2.", "telemetry", "coordinator", "after", "file"]
    assert "    telemetry --> runtime" in render_mermaid(container.graph()).splitlines()
