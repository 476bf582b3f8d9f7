"""Makes ``init_resources()`` and ``shutdown_resources()`` of a declarative container the registry's lifecycle.

dependency-injector by itself starts independent resources at once and in an order that changes between processes, rolls
nothing back, and stops by direct edges only (tests/test_dependency_injector_facts.py). ``instance_type`` is its
supported hook for a container class of one's own. Here it reads the provider graph, and leaves running to the registry.
"""

import asyncio
import inspect
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from dependency_injector import containers, providers

from app.lifecycle import (
    Coordinator,
    CoordinatorContext,
    CoordinatorRegistry,
    DependencyCycle,
    HealthReport,
    OverrideRefused,
    Phase,
    StopRequest,
    UndefinedDependency,
    Unit,
    start_order,
)
from app.lifecycle.deadlines import Deadlines
from app.lifecycle.phases import Transition

JITTER_RATIO = 0.25


class _Lockable:
    """A provider that refuses overrides while the container is up: they would apply to half of the bot."""

    locked = False

    def override(self, provider: object) -> Any:  # noqa: ANN401 - as the base class
        """Override, unless the container is up."""
        if self.locked:
            raise OverrideRefused("the bot is up, and an override would apply to half of it: stop it first")
        return super().override(provider)  # type: ignore[misc] # every class below has a provider as its second base

    def reset_override(self) -> None:
        """Take overrides back, unless the container is up."""
        if self.locked:
            raise OverrideRefused("the bot is up, and taking an override back would apply to half of it: stop it first")
        super().reset_override()  # type: ignore[misc] # as above


class Callable_(_Lockable, providers.Callable[Any]):  # noqa: N801 - beside collections.abc.Callable
    """``providers.Callable``, locked while the container is up."""


class Dependency(_Lockable, providers.Dependency[Any]):
    """``providers.Dependency``, locked while the container is up."""


class Factory(_Lockable, providers.Factory[Any]):
    """``providers.Factory``, locked while the container is up."""


class Object(_Lockable, providers.Object[Any]):
    """``providers.Object``, locked while the container is up."""


class Resource(_Lockable, providers.Resource[Any]):
    """``providers.Resource``, locked while the container is up."""


class Singleton(_Lockable, providers.Singleton[Any]):
    """``providers.Singleton``, locked while the container is up."""


class CoordinatorResource(providers.Resource[Any]):
    """Runs the lifecycle of a coordinator, around the coordinator's own factory, after what it is given as second.

    It is never overridden: override the factory.
    """

    def __init__(self, *factory_and_previous: object) -> None:
        # Copying a container makes an empty provider first and fills it afterwards.
        if factory_and_previous:
            super().__init__(_made, *factory_and_previous)
        else:
            super().__init__()

    def override(self, provider: object) -> Any:  # noqa: ANN401 - as the base class
        """Refuse."""
        del provider
        raise OverrideRefused("a coordinator's resource runs its lifecycle: override its factory instead")


def _made(coordinator: Coordinator, previous: object) -> Coordinator:
    """Return the coordinator; what comes before it is only an edge of the graph."""
    del previous
    return coordinator


class GraphNode(msgspec.Struct, frozen=True):
    """A unit, and what it needs."""

    name: str
    needs: tuple[str, ...]
    is_coordinator: bool


class LifecycleContainer(containers.DynamicContainer):
    """A container whose resources live and die by the registry."""

    def __init__(self) -> None:
        super().__init__()
        self._registry: CoordinatorRegistry | None = None
        self._observers: list[Callable[[Transition], None]] = []

    # -- the lifecycle -------------------------------------------------------------------------------------------

    async def init_resources(self, resource_type: object = None) -> None:
        """Start everything: see ``CoordinatorRegistry.start``.

        Raises:
            UndefinedDependency: A provider has no value. Nothing was touched.
            DependencyCycle: Providers need each other. Nothing was touched.
            StartFailed: A unit did not come up; everything is down again.
        """
        del resource_type
        units = self._units()
        self._lock(locked=True)
        try:
            await self.registry.start(units, self._first_context)
        except BaseException:
            self._lock(locked=False)
            raise

    async def shutdown_resources(self, resource_type: object = None) -> None:
        """Stop everything: see ``CoordinatorRegistry.stop``. A no-op when nothing is up.

        Raises:
            ExceptionGroup: What went wrong, all of it.
        """
        del resource_type
        try:
            await self.registry.stop()
        finally:
            self._lock(locked=False)

    @property
    def registry(self) -> CoordinatorRegistry:
        """The registry that runs the lifecycle."""
        if self._registry is None:
            request: StopRequest = self.stop_request()
            deadlines: Deadlines = self.deadlines()
            self._registry = CoordinatorRegistry(request.fail, deadlines, lambda: random.random() * JITTER_RATIO)  # noqa: S311 - spreads restarts
            for observer in self._observers:
                self._registry.observe(observer)
        return self._registry

    def observe(self, observer: Callable[[Transition], None]) -> None:
        """Have ``observer`` called with each transition of the lifecycle."""
        self._observers.append(observer)
        if self._registry is not None:
            self._registry.observe(observer)

    def coordinator(self, name: str) -> Coordinator:
        """Return a running coordinator.

        Raises:
            NotStarted: The bot is not up.
        """
        return self.registry.coordinator(name)

    async def health(self) -> HealthReport:
        """Return how the bot is."""
        return await self.registry.health()

    # -- the graph -----------------------------------------------------------------------------------------------

    def graph(self) -> tuple[GraphNode, ...]:
        """Return the units in the order in which they start."""
        return tuple(GraphNode(unit.name, unit.needs, unit.is_coordinator) for unit in self._units())

    def _units(self) -> tuple[Unit, ...]:
        named: dict[str, providers.Provider[Any]] = self.providers
        reader = _GraphReader(named)
        found: dict[str, Unit] = {}
        for provider in named.values():
            if isinstance(provider, providers.Resource):
                for resource in reader.resources_of(provider):
                    unit = reader.unit(resource)
                    found.setdefault(unit.name, unit)
        return start_order(tuple(found.values()))

    async def _first_context(self) -> CoordinatorContext:
        context: CoordinatorContext = await _awaited(self.base_context())
        return context

    def _lock(self, *, locked: bool) -> None:
        reached: Iterator[providers.Provider[Any]] = self.traverse()
        for provider in reached:
            if isinstance(provider, _Lockable):
                provider.locked = locked
        if self.registry.phase is Phase.READY and not locked:
            self._lock(locked=True)


class _GraphReader:
    """Reads units and their needs from providers: overrides followed, unchosen branches of selectors left out."""

    def __init__(self, named: dict[str, providers.Provider[Any]]) -> None:
        self._names: dict[int, str] = {}
        for name, provider in named.items():
            self._names[id(provider)] = name
            if provider.overridden:
                self._names[id(provider.overridden[-1])] = name
        self._below: dict[int, tuple[providers.Resource[Any], ...]] = {}

    def unit(self, resource: providers.Resource[Any]) -> Unit:
        """Return the unit of a resource."""
        return Unit(
            name=self._name(resource),
            up=lambda: _up(resource),
            down=lambda: _down(resource),
            needs=tuple(self._name(need) for need in self._below[id(resource)]),
            is_coordinator=isinstance(resource, CoordinatorResource),
        )

    def resources_of(self, provider: providers.Resource[Any]) -> tuple[providers.Resource[Any], ...]:
        """Return a resource, or what overrides it, after everything that it needs."""
        reached: dict[int, providers.Resource[Any]] = {}
        self._collect(provider, {}, reached, ())
        return tuple(reached.values())

    def _collect(
        self,
        provider: providers.Provider[Any],
        needed: dict[int, providers.Resource[Any]],
        reached: dict[int, providers.Resource[Any]],
        path: tuple[providers.Provider[Any], ...],
    ) -> None:
        """Follow a provider's edges down: ``needed`` gets the nearest resources, ``reached`` all, deepest first."""
        if any(provider is passed for passed in path):
            raise DependencyCycle([self._name(passed) for passed in (*path, provider)])
        if isinstance(provider, providers.Dependency) and not provider.is_defined:
            raise UndefinedDependency(self._name(provider))
        ends_here = isinstance(provider, providers.Resource) and not provider.overridden
        below: dict[int, providers.Resource[Any]] = {} if ends_here else needed
        for edge in self._edges(provider):
            self._collect(edge, below, reached, (*path, provider))
        if isinstance(provider, providers.Resource) and ends_here:
            self._below[id(provider)] = tuple(below.values())
            needed[id(provider)] = provider
            reached[id(provider)] = provider

    @staticmethod
    def _edges(provider: providers.Provider[Any]) -> Iterator[providers.Provider[Any]]:
        if provider.overridden:
            yield provider.overridden[-1]
        elif isinstance(provider, providers.Selector):
            yield provider.selector
            yield provider.providers[provider.selector()]
        elif isinstance(provider, providers.Self):
            return
        else:
            yield from provider.related

    def _name(self, provider: providers.Provider[Any]) -> str:
        return (
            self._names.get(id(provider)) or f"{type(provider).__name__.lower()} {getattr(provider, 'cls', '')}".strip()
        )


async def _awaited(value: object) -> Any:  # noqa: ANN401 - whatever the provider gives
    """Return a provider's value; over an asynchronous resource it comes as a future."""
    if asyncio.isfuture(value) or inspect.isawaitable(value):
        return await value
    return value


async def _up(resource: providers.Resource[Any]) -> object:
    return await _awaited(resource.init())


async def _down(resource: providers.Resource[Any]) -> None:
    if resource.initialized:
        await _awaited(resource.shutdown())


def render_text(graph: tuple[GraphNode, ...]) -> str:
    """Return the start order for a terminal."""
    width = max(len(node.name) for node in graph)
    return "\n".join(
        f"{place:>2}. {node.name:<{width}}  {'coordinator' if node.is_coordinator else 'resource   '}"
        f"{'  after ' + ', '.join(node.needs) if node.needs else ''}"
        for place, node in enumerate(graph, 1)
    )


def render_mermaid(graph: tuple[GraphNode, ...]) -> str:
    """Return the graph as a Mermaid diagram: an arrow points to what starts later."""
    lines = ["flowchart LR"]
    for node in graph:
        lines.append(f"    {node.name}[[{node.name}]]" if node.is_coordinator else f"    {node.name}({node.name})")
        lines += [f"    {need} --> {node.name}" for need in node.needs]
    return "\n".join(lines)
