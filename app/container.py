"""The parts list: everything that is wired, in the order in which it starts. The only place where things are wired."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from secrets import token_hex
from typing import Any

from dependency_injector import containers, providers
from rich.console import Console

from app.adapters import (
    adapter_class,
    adapter_kind,
    ccxt_exchange,
    custom_exchange,
    paper_exchange,
)
from app.bot import PerpsBot
from app.container_lifecycle import (
    Callable_,
    CoordinatorResource,
    Dependency,
    Factory,
    LifecycleContainer,
    Object,
    Resource,
    Singleton,
)
from app.control import ControlSocket
from app.coordinators import (
    ExecutionCoordinator,
    RuntimeCoordinator,
    StrategyCoordinator,
    SystemMonitor,
    TelemetryCoordinator,
)
from app.domain.client_order_id import INSTANCE_DIGITS
from app.exchanges.simulated import SimulatedExchange
from app.execution import SendPoint
from app.lifecycle import CoordinatorContext, Deadlines, StopRequest
from app.ports.clock import Clock
from app.ports.connection import Connection
from app.ports.journal import Journal
from app.recording import Edges, Recorder, TapeWriter, final_of
from app.risk import RiskEngine
from app.settings import LoadedSettings, Settings
from app.settings.load import verdict_on
from app.settings.secrets import without_secrets
from app.state import journal_of, state_folder
from app.strategies import create_all
from app.telemetry import FactBus, FactLog, HealthFile, LiveView, LogTail, MetricStore, RunFigures, RunSummary
from app.timing import SequentialIds, StreamClock, WallClock


def clock_of(connection: Connection) -> Clock:
    """Return the market's clock: the stream's where time is virtual, the wall's otherwise."""
    return StreamClock() if connection.capabilities.is_virtual else WallClock()


def new_instance_of(settings: Settings) -> str:
    """Return what client order ids call a journal that is new: by chance, for an account may have several.

    The account at a simulated exchange lies in the journal itself, so its ids need no name, and are the same each time.
    """
    return "" if settings.exchange.adapter == "simulated" else token_hex(INSTANCE_DIGITS // 2)


def ids_of(settings: Settings, journal: Journal) -> SequentialIds:
    """Return the source of client order ids of this start."""
    recovered = journal.recovered()
    return SequentialIds(settings.account.id, recovered.epoch, recovered.instance, recovered.instance_since)


def chosen(exchange: Any) -> Any:  # noqa: ANN401 - an adapter implements four ports at once
    """Return the exchange that the selector chose, so that it is made once for each start."""
    return exchange


def edges_of(
    settings: Settings,
    exchange: Any,  # noqa: ANN401 - as above
    clock: Clock,
    journal: Journal,
    container: LifecycleContainer,
) -> Iterator[Edges]:
    """Give exchange, clock and journal to the bot: as they are, or recorded."""
    edges, path = Edges(exchange, clock, journal), settings.telemetry.record_stream
    if path is None:
        yield edges
        return
    writer = TapeWriter(path, settings.telemetry.record_mb_max)
    try:
        yield Recorder(writer, edges, recordable(settings), lambda: final_of(container.registry.context)).edges
    finally:
        writer.close()


def recordable(settings: Settings) -> dict[str, Any]:
    """Return the settings of a replay: no secret, no place on this machine that a replay could write to."""
    document = without_secrets(settings).model_dump(mode="json")
    document["storage"] |= {"backend": "memory", "folder": None}
    document["telemetry"] |= {"record_stream": None}
    return document


def surfaces_of(
    settings: Settings, folder: Path | None, console: Console | None, figures: RunFigures, log: LogTail
) -> list[Any]:
    """Return where the status is shown: the health file where there is a state folder, the view on a terminal."""
    surfaces: list[Any] = []
    if folder is not None:
        surfaces.append(HealthFile(folder, settings.telemetry.health_every_s, figures))
    if console is not None:
        surfaces.append(LiveView(console, settings.telemetry.view_every_s, figures, log))
    return surfaces


def control_of(folder: Path | None) -> ControlSocket | None:
    """Return where the operator reaches the bot: a socket in the state folder; None when no state is kept."""
    return None if folder is None else ControlSocket(folder)


class Container(containers.DeclarativeContainer):
    """The bot's parts. ``init_resources()`` starts it, ``shutdown_resources()`` stops it; override any provider."""

    instance_type = LifecycleContainer
    __self__ = providers.Self()

    # What is given from outside.
    loaded = Dependency(instance_of=LoadedSettings)
    console = Object(None)

    # What everybody shares.
    settings = Callable_(lambda loaded: loaded.settings, loaded)
    folder = Callable_(state_folder, settings)
    stop_request = Singleton(StopRequest)
    random = Singleton(Random)
    deadlines = Callable_(lambda given: Deadlines(**given.model_dump()), settings.provided.lifecycle)
    figures = Resource(RunFigures)
    summary = Singleton(RunSummary)
    log_tail = Singleton(LogTail)
    new_instance = Callable_(new_instance_of, settings)
    journal = Resource(journal_of, settings, folder, new_instance)
    ids = Factory(ids_of, settings, journal)
    risk = Factory(RiskEngine, settings.provided.risk)
    strategies = Callable_(create_all, settings.provided.strategies)

    # The exchange: the one that is not chosen is never built.
    exchange = Resource(
        chosen,
        providers.Selector(
            Callable_(adapter_kind, settings),
            simulated=Factory(
                SimulatedExchange,
                settings.provided.exchange.simulated,
                settings.provided.account,
                journal,
                resumable=Callable_(lambda given: given.storage.keeps_state, settings),
            ),
            ccxt=Factory(ccxt_exchange, settings),
            paper=Factory(paper_exchange, settings, journal),
            custom=Factory(custom_exchange, Callable_(adapter_class, settings), settings, journal),
        ),
    )
    clock = Resource(clock_of, exchange)
    edges = Resource(edges_of, settings, exchange, clock, journal, __self__)
    """What the bot knows of exchange, clock and journal."""
    edge = Callable_(lambda edges: edges.exchange, edges)
    send_point = Factory(SendPoint, order_entry=edge)

    base_context = Factory(
        CoordinatorContext,
        settings=settings,
        clock=Callable_(lambda edges: edges.clock, edges),
        ids=ids,
        journal=Callable_(lambda edges: edges.journal, edges),
    )
    health_probe = Callable_(lambda container: container.health, __self__)

    control = Factory(control_of, folder)

    # The coordinators: a factory each, for overriding, and the resource that runs its lifecycle.
    telemetry_factory = Factory(
        TelemetryCoordinator,
        facts=Factory(FactBus),
        metrics=Factory(MetricStore),
        figures=figures,
        surfaces=Callable_(surfaces_of, settings, folder, console, figures, log_tail),
        subscribers=providers.List(Factory(FactLog, orders=settings.provided.telemetry.log_orders)),
        health=health_probe,
        on_end=Callable_(lambda taken, counted: partial(taken.take, figures=counted), summary, figures),
    )
    telemetry = CoordinatorResource(telemetry_factory, base_context)
    runtime_factory = Factory(
        RuntimeCoordinator,
        connection=edge,
        market_data=edge,
        account=edge,
        on_stream_end=stop_request.provided.request,
        command=loaded.provided.command,
        control=control,
        on_post=Callable_(lambda edges: edges.on_post, edges),
        ticks=Callable_(lambda edges: edges.ticks, edges),
    )
    runtime = CoordinatorResource(runtime_factory, telemetry)
    execution_factory = Factory(ExecutionCoordinator, make_send_point=send_point.provider, risk=risk)
    execution = CoordinatorResource(execution_factory, runtime)
    strategy_factory = Factory(StrategyCoordinator, strategies=strategies)
    strategy = CoordinatorResource(strategy_factory, execution)
    system_monitor_factory = Factory(
        SystemMonitor,
        health=health_probe,
        stream_silence_s=Callable_(lambda runtime: lambda: runtime.silence_s, runtime),
        state_folder=folder,
        settings_files=loaded.provided.files,
        check_settings=Callable_(lambda loaded: lambda: verdict_on(loaded), loaded),
    )
    system_monitor = CoordinatorResource(system_monitor_factory, strategy)

    bot = Singleton(PerpsBot, __self__, stop_request)
