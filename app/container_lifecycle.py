"""Makes ``init_resources()`` and ``shutdown_resources()`` of a declarative container the registry's lifecycle.

dependency-injector by itself starts independent resources at once and in an order that changes between processes, rolls
nothing back, and stops by direct edges only (tests/test_dependency_injector_facts.py). ``instance_type`` is its
supported hook for a container class of one's own. Here it reads the provider graph, and leaves running to the registry.
"""

import asyncio
import inspect
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
UP = frozenset({Phase.STARTING, Phase.READY, Phase.STOPPING})


class _Lockable:
    """A provider that refuses overrides while the container is up: they would apply to half of the bot."""

    container: "LifecycleContainer | None" = None
    """Set at the first start: whose phase decides."""

    def override(self, provider: object) -> Any:  # noqa: ANN401 - as the base class
        """Override, unless the container is up."""
        self._refuse_while_up("an override")
        return super().override(provider)  # type: ignore[misc] # every class below has a provider as its second base

    def reset_override(self) -> None:
        """Take overrides back, unless the container is up."""
        self._refuse_while_up("taking overrides back")
        super().reset_override()  # type: ignore[misc] # as above

    def reset_last_overriding(self) -> None:
        """Take the last override back, unless the container is up."""
        self._refuse_while_up("taking an override back")
        super().reset_last_overriding()  # type: ignore[misc] # as above

    def _refuse_while_up(self, what: str) -> None:
        if self.container is not None and self.container.registry.phase in UP:
            raise OverrideRefused(f"the bot is up, and {what} would apply to half of it: stop it first")


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

    def __init__(self, *factory_and_previous: Any) -> None:  # noqa: ANN401 - providers of any type
        # Copying a container makes an empty provider first and fills it afterwards.
        if factory_and_previous:
            factory, previous = factory_and_previous
            super().__init__(_made, factory.provider, previous)
        else:
            super().__init__()

    def override(self, provider: object) -> Any:  # noqa: ANN401 - as the base class
        """Refuse."""
        del provider
        raise OverrideRefused("a coordinator's resource runs its lifecycle: override its factory instead")


async def _made(make: Callable[[], object], previous: object) -> Coordinator:
    """Return the coordinator; what comes before it is only an edge of the graph.

    Made here and not by the container, which would not pass a cancellation on to a factory that is a coroutine.
    """
    del previous
    coordinator: Coordinator = await _awaited(make())
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
        await self.registry.start(self._units, self._first_context)

    async def shutdown_resources(self, resource_type: object = None) -> None:
        """Stop everything: see ``CoordinatorRegistry.stop``. A no-op when nothing is up.

        Raises:
            ExceptionGroup: What went wrong, all of it.
        """
        del resource_type
        await self.registry.stop()

    @property
    def registry(self) -> CoordinatorRegistry:
        """The registry that runs the lifecycle."""
        if self._registry is None:
            self._registry = CoordinatorRegistry(self._on_fatal, self._deadlines, self._jitter)
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
        units = start_order(_GraphReader(self.providers).units())
        return tuple(GraphNode(unit.name, unit.needs, unit.is_coordinator) for unit in units)

    def _units(self) -> tuple[Unit, ...]:
        """Return the units, and have every provider refuse overrides from now on, while the container is up."""
        units = _GraphReader(self.providers).units()
        reached: Iterator[providers.Provider[Any]] = self.traverse()
        for provider in reached:
            if isinstance(provider, _Lockable):
                provider.container = self
        return units

    # What may be overridden between two starts is read anew, each time.

    def _on_fatal(self, part: str, error: str) -> None:
        request: StopRequest = self.stop_request()
        request.fail(part, error)

    def _deadlines(self) -> Deadlines:
        deadlines: Deadlines = self.deadlines()
        return deadlines

    def _jitter(self) -> float:
        spread: float = self.random().random()
        return spread * JITTER_RATIO

    async def _first_context(self) -> CoordinatorContext:
        context: CoordinatorContext = await _awaited(self.base_context())
        return context


class _GraphReader:
    """Reads units and their needs from providers: overrides followed, unchosen branches of selectors left out."""

    def __init__(self, named: dict[str, providers.Provider[Any]]) -> None:
        self._named = named
        self._names = {id(provider): name for name, provider in named.items()}
        for name, provider in named.items():
            if provider.overridden:
                # What stands in for a part goes by the part's name, unless it is a part itself.
                self._names.setdefault(id(provider.overridden[-1]), name)
        self._nearest: dict[int, tuple[providers.Resource[Any], ...]] = {}
        self._units: list[Unit] = []

    def units(self) -> tuple[Unit, ...]:
        """Return a unit for each resource that is really used, after everything that it needs.

        Raises:
            UndefinedDependency: A provider has no value.
            DependencyCycle: Providers need each other.
        """
        for provider in self._named.values():
            if isinstance(provider, providers.Resource):
                self._reach(provider, ())
        return tuple(self._units)

    def _reach(
        self, provider: providers.Provider[Any], path: tuple[providers.Provider[Any], ...]
    ) -> tuple[providers.Resource[Any], ...]:
        """Return the nearest resources that stand for a provider: itself, if it is one and not overridden."""
        for place, passed in enumerate(path):
            if passed is provider:
                raise DependencyCycle([self._name(item) for item in (*path[place:], provider)])
        if id(provider) in self._nearest:
            return self._nearest[id(provider)]
        if isinstance(provider, providers.Dependency) and not provider.is_defined:
            raise UndefinedDependency(self._name(provider))
        below: dict[int, providers.Resource[Any]] = {}
        for edge in self._edges(provider):
            below |= {id(resource): resource for resource in self._reach(edge, (*path, provider))}
        nearest = tuple(below.values())
        if isinstance(provider, providers.Resource) and not provider.overridden:
            self._units.append(self._unit(provider, nearest))
            nearest = (provider,)
        self._nearest[id(provider)] = nearest
        return nearest

    def _edges(self, provider: providers.Provider[Any]) -> Iterator[providers.Provider[Any]]:
        if provider.overridden:
            yield provider.overridden[-1]
        elif isinstance(provider, providers.Selector):
            yield provider.selector
            choice = provider.selector()
            if choice not in provider.providers:
                raise UndefinedDependency(f"{choice} (one of {', '.join(provider.providers)})")
            yield provider.providers[choice]
        elif not isinstance(provider, providers.Self):
            yield from provider.related

    def _unit(self, resource: providers.Resource[Any], needs: tuple[providers.Resource[Any], ...]) -> Unit:
        return Unit(
            name=self._name(resource),
            up=lambda: _up(resource),
            down=lambda: _down(resource),
            needs=tuple(self._name(need) for need in needs),
            is_coordinator=isinstance(resource, CoordinatorResource),
        )

    def _name(self, provider: providers.Provider[Any]) -> str:
        """Return a provider's name in the container; one that has none there gets one of its own."""
        if id(provider) not in self._names:
            made = getattr(provider, "provides", None)
            said = f"{type(provider).__name__.lower()} {getattr(made, '__name__', '')}".strip()
            alike = sum(name.partition(" #")[0] == said for name in self._names.values())
            self._names[id(provider)] = f"{said} #{alike + 1}" if alike else said
        return self._names[id(provider)]


async def _awaited(value: object) -> Any:  # noqa: ANN401 - whatever the provider gives
    """Return a provider's value; over an asynchronous resource it comes as a future."""
    if asyncio.isfuture(value) or inspect.isawaitable(value):
        return await value
    return value


async def _up(resource: providers.Resource[Any]) -> object:
    made = await _awaited(resource.init())
    # From now on the container gives the object, and not a future of it: what is made from it stays synchronous, and
    # what opens over it can be cancelled, as the container passes no cancellation on through a future.
    resource.disable_async_mode()
    return made


async def _down(resource: providers.Resource[Any]) -> None:
    if resource.initialized:
        resource.reset_async_mode()
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
