"""The system monitor watches everything else; telemetry shows it, and trading goes on without it."""

import asyncio
from pathlib import Path

import pytest
from dependency_injector import providers

from app.coordinators import SystemMonitor, TelemetryCoordinator
from app.domain.records import HealthChanged, SettingsChanged
from app.lifecycle import HealthState, HealthStatus
from tests.settling import settle


@pytest.fixture
def watch(container, mocker):
    """A bot whose monitor looks at once, again and again, at what the test says."""

    async def start(**changes):
        given = {"silence": None, "folder": None, "files": (), "verdict": "valid"} | changes
        container.system_monitor_factory.override(
            providers.Factory(
                SystemMonitor,
                health=container.health_probe,
                stream_silence_s=lambda: given["silence"],
                state_folder=given["folder"],
                settings_files=given["files"],
                check_settings=lambda: given["verdict"],
            )
        )
        await container.init_resources()
        monitor = container.bot().system_monitor
        facts = []
        container.registry.context.facts.subscribe(facts.append)
        return monitor, facts, given

    return start


async def look(monitor):
    """Have it look once, without waiting."""
    monitor._settings = monitor._settings.model_copy(update={"check_every_s": 0.001})
    watching = asyncio.ensure_future(monitor._watch())
    for _ in range(20):
        await asyncio.sleep(0.002)
    watching.cancel()


async def test_a_silent_stream_restricts_trading_until_it_speaks(watch, container):
    monitor, _, given = await watch(silence=999.0)
    await look(monitor)
    state = container.registry.context.trading_state
    assert state.current.holds("system_monitor", "stream_silent")
    status = await monitor.health_check()
    assert (status.state, "no event for 999 s" in status.error) == (HealthState.DEGRADED, True)

    given["silence"] = 0.0
    await look(monitor)
    assert not state.current.holds("system_monitor", "stream_silent")
    assert (await monitor.health_check()).state is HealthState.HEALTHY
    await container.shutdown_resources()


async def test_a_full_disk_restricts_trading(watch, container, tmp_path, mocker):
    mocker.patch("app.coordinators.system_monitor.disk_usage", return_value=mocker.Mock(free=1_000_000))
    monitor, _, _ = await watch(folder=tmp_path)
    await look(monitor)
    assert container.registry.context.trading_state.current.holds("system_monitor", "disk_full")
    await container.shutdown_resources()


async def test_a_changed_settings_file_is_reported_and_never_applied(watch, container, tmp_path):
    file = tmp_path / "profile.toml"
    file.write_text("a = 1")
    monitor, facts, _ = await watch(files=(file, Path("/nowhere/.env")), verdict="valid, restart to apply")
    before = container.registry.context.settings
    file.write_text("a = 22")
    await look(monitor)
    assert [fact.verdict for fact in facts if isinstance(fact, SettingsChanged)] == ["valid, restart to apply"]
    assert container.registry.context.settings is before
    await container.shutdown_resources()


async def test_it_asks_how_the_others_are_and_tells_when_that_changes(watch, container, mocker):
    monitor, facts, _ = await watch()
    sick = HealthStatus(component="strategy", state=HealthState.UNHEALTHY, critical=True, since_s=0.0)
    mocker.patch.object(container.bot().strategy, "health_check", return_value=sick)
    await look(monitor)
    mocker.stopall()
    await look(monitor)
    assert [fact.unhealthy for fact in facts if isinstance(fact, HealthChanged)] == [("strategy",), ()]
    await container.shutdown_resources()


async def test_a_late_event_loop_is_noticed(watch, container):
    monitor, _, _ = await watch()
    monitor._settings = monitor._settings.model_copy(update={"loop_lag_s_max": 0.0})
    await look(monitor)
    assert "event loop was" in (await monitor.health_check()).error
    await container.shutdown_resources()


# -- telemetry --------------------------------------------------------------------------------------------------


class Surface:
    """A surface that a test breaks."""

    name = "surface"
    every_s = 0.001

    def __init__(self) -> None:
        self.shown = 0
        self.closed = 0
        self.broken = False

    def open(self):
        pass

    def show(self, context, report):
        if self.broken:
            raise OSError("no space")
        self.shown += 1

    def close(self):
        self.closed += 1
        if self.broken:
            raise OSError("no space")


@pytest.fixture
async def surface(container):
    made = Surface()
    container.telemetry_factory.override(
        providers.Factory(
            TelemetryCoordinator,
            facts=container.telemetry_factory.kwargs["facts"],
            metrics=container.telemetry_factory.kwargs["metrics"],
            figures=container.figures,
            surfaces=providers.Object([made]),
            subscribers=providers.Object([]),
            health=container.health_probe,
            on_end=providers.Object(lambda context, report: None),
        )
    )
    await container.init_resources()
    return made


async def test_surfaces_are_shown_while_the_bot_is_up(container, surface):
    await settle()
    assert surface.shown > 0
    await container.shutdown_resources()
    assert surface.closed == 1


async def test_a_surface_that_fails_degrades_and_trading_goes_on(container, surface):
    surface.broken = True
    for _ in range(10):
        await asyncio.sleep(0.002)
    report = await container.health()
    [telemetry] = [item for item in report.components if item.component == "telemetry"]
    assert telemetry.state is HealthState.DEGRADED
    assert report.ready
    with pytest.raises(ExceptionGroup):
        await container.shutdown_resources()
