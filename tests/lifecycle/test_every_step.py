"""Every coordinator fails, hangs or is cancelled in every phase; and the start is cancelled at every tick."""

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from dependency_injector import providers

from app.lifecycle import (
    DeadlineExceeded,
    Deadlines,
    ExitCode,
    IllegalPhase,
    LifecycleManager,
    OverrideRefused,
    Phase,
    RestartPolicy,
    StartFailed,
    StepCancelled,
    StopRequest,
    Supervisor,
)
from tests.lifecycle.parts import NAMES, START_PHASES, Planned, alive, end_all, parts, slow_file_of, stubborn


def initialized(notes):
    return [event.partition(".")[0] for event in notes.events if event.endswith(".initialize")]


CAUSES = {"fail": Planned, "hang": DeadlineExceeded, "cancelled": StepCancelled}


@pytest.mark.parametrize("phase", START_PHASES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", CAUSES)
async def test_a_start_that_goes_wrong_takes_down_what_was_up(name, phase, how):
    """The failure names coordinator and phase; what was initialized is shut down in reverse; nothing leaks."""
    container, notes = parts(**{f"{name}__{phase}": how})

    with pytest.raises(StartFailed) as failed:
        await container.init_resources()

    assert (failed.value.unit, failed.value.phase) == (name, phase)
    assert type(failed.value.cause) is CAUSES[how]
    assert notes.stopped() == initialized(notes)[::-1]
    assert notes.events[-1] == "file.close"
    assert container.registry.phase is Phase.FAILED
    await end_all()
    assert not alive()


@pytest.mark.parametrize("phase", ["drain", "shutdown"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", CAUSES)
async def test_a_stop_that_goes_wrong_goes_on_and_reports(name, phase, how):
    """Everything else is shut down in the reverse order, and the error comes out at the end."""
    container, notes = parts(**{f"{name}__{phase}": how})
    await container.init_resources()

    with pytest.raises(ExceptionGroup) as unclean:
        await container.shutdown_resources()

    [error] = unclean.value.exceptions
    assert type(error) is CAUSES[how]
    said = f"{error} {getattr(error, '__notes__', '')}"
    assert name in said
    assert phase in said
    assert notes.stopped() == list(NAMES[::-1])
    assert notes.events[-1] == "file.close"
    assert container.registry.phase is Phase.STOPPED
    await end_all()
    assert not alive()


def synchronous():
    return parts()


def asynchronous():
    """The file is opened by an asynchronous generator, and every coordinator is made by a coroutine."""
    container, notes = parts(**{f"{name}__make": "slow" for name in NAMES})
    container.file.override(providers.Resource(slow_file_of, notes))
    return container, notes


@pytest.mark.parametrize("build", [synchronous, asynchronous])
async def test_the_start_cancelled_at_every_tick_leaks_nothing(build):
    """However many ticks of the loop the start got, it is undone in reverse, and can be made again."""
    for ticks in range(1000):
        container, notes = build()
        start = asyncio.ensure_future(container.init_resources())
        for _ in range(ticks):
            await asyncio.sleep(0)
        if start.done():
            break
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        assert notes.stopped() == initialized(notes)[::-1], ticks
        assert notes.events.count("file.open") == notes.events.count("file.close"), ticks
        assert container.registry.phase in {Phase.FAILED, Phase.NEW}, ticks
        assert not alive(), ticks
        await container.init_resources()
        await container.shutdown_resources()
    assert ticks > 10
    await start
    await container.shutdown_resources()


async def test_start_stop_start_again():
    container, notes = parts()
    for _ in range(2):
        await container.init_resources()
        assert container.registry.phase is Phase.READY
        await container.shutdown_resources()
    half = len(notes.events) // 2
    assert notes.events[:half] == notes.events[half:]


async def test_two_phases_and_drain_before_anything_stops():
    container, notes = parts()
    await container.init_resources()
    await container.shutdown_resources()

    steps = [event for event in notes.events if not event.startswith("file")]
    assert steps == [
        *(f"{name}.initialize" for name in NAMES),
        *(f"{name}.start_background_tasks" for name in NAMES),
        *(f"{name}.drain" for name in NAMES),
        *(f"{name}.shutdown" for name in NAMES[::-1]),
    ]


async def test_stopping_twice_and_stopping_nothing_are_no_errors():
    container, notes = parts()
    await container.shutdown_resources()
    await container.init_resources()
    await asyncio.gather(container.shutdown_resources(), container.shutdown_resources())
    assert notes.stopped() == list(NAMES[::-1])


async def test_many_cancellations_do_not_cut_the_stop_short():
    container, notes = parts()
    await container.init_resources()
    stop = asyncio.ensure_future(container.shutdown_resources())
    for _ in range(3):
        await asyncio.sleep(0)
        stop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stop
    assert notes.stopped() == list(NAMES[::-1])
    assert container.registry.phase is Phase.STOPPED


# -- exit codes -------------------------------------------------------------------------------------------------


def manager_of(container, abort=lambda: None):
    return LifecycleManager(container.init_resources, container.shutdown_resources, container.stop_request(), abort)


async def test_a_clean_run_ends_with_0():
    container, _ = parts()
    result = await manager_of(container).run(lambda: container.stop_request().request("enough"))
    assert (result.exit_code, result.reason, result.errors) == (ExitCode.CLEAN, "enough", ())


async def test_a_failed_start_ends_with_4_and_names_coordinator_and_phase():
    container, _ = parts(strategy__initialize="fail")
    result = await manager_of(container).run()
    assert result.exit_code is ExitCode.START_FAILED
    assert result.reason == "strategy.initialize (strategy failed in initialize)"


async def test_a_failed_critical_part_ends_with_5_even_if_the_stop_is_unclean():
    container, _ = parts(strategy__shutdown="fail")
    result = await manager_of(container).run(lambda: container.stop_request().fail("pump", "broken"))
    assert (result.exit_code, result.reason) == (ExitCode.CRITICAL_FAILURE, "pump failed: broken")
    assert result.errors == ("Planned: strategy.shutdown (in shutdown of strategy)",)


async def test_an_unclean_stop_ends_with_6():
    container, _ = parts(strategy__drain="fail")
    result = await manager_of(container).run(lambda: container.stop_request().request("enough"))
    assert result.exit_code is ExitCode.UNCLEAN_STOP


async def test_a_stop_asked_for_during_the_start_undoes_it():
    container, notes = parts()
    running = asyncio.ensure_future(manager_of(container).run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    container.stop_request().request("SIGINT")
    result = await running
    assert (result.exit_code, result.reason) == (ExitCode.CLEAN, "SIGINT during the start")
    assert notes.stopped() == initialized(notes)[::-1]


async def test_a_run_that_is_cancelled_from_outside_stops_first():
    container, notes = parts()
    ready = asyncio.Event()
    running = asyncio.ensure_future(manager_of(container).run(ready.set))
    await ready.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert notes.stopped() == list(NAMES[::-1])


async def test_an_error_of_the_start_that_is_no_part_s_goes_through():
    async def broken():
        raise LookupError("a bug")

    container, _ = parts()
    manager = LifecycleManager(broken, container.shutdown_resources, container.stop_request(), lambda: None)
    with pytest.raises(LookupError):
        await manager.run()


async def test_the_first_signal_stops_and_the_second_aborts():
    container, notes = parts(runtime__drain="hang")
    aborted = []

    def ready():
        os.kill(os.getpid(), signal.SIGTERM)

    manager = manager_of(container, lambda: aborted.append(len(notes.stopped())))
    running = asyncio.ensure_future(manager.run(ready))
    for _ in range(100):
        await asyncio.sleep(0)
    assert "runtime.drain" in notes.events
    os.kill(os.getpid(), signal.SIGINT)
    result = await running
    assert aborted == [0]
    assert result.reason == "SIGTERM"
    await end_all()


async def test_a_signal_that_comes_while_it_stops_already_is_told_and_is_not_the_reason():
    """Whoever runs several bots one after the other ends with it."""
    container, _ = parts(runtime__drain="hang")
    manager = manager_of(container)
    running = asyncio.ensure_future(manager.run(lambda: container.stop_request().request("stream ended")))
    for _ in range(100):
        await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    result = await running
    assert (result.reason, result.is_signalled) == ("stream ended", True)
    await end_all()


async def test_signals_that_it_does_not_take_do_what_they_did_before():
    container, _ = parts()
    met = []
    before = signal.signal(signal.SIGINT, lambda *_: met.append("before"))

    def ready():
        os.kill(os.getpid(), signal.SIGINT)
        container.stop_request().request("enough")

    try:
        result = await manager_of(container).run(ready, signals=())
    finally:
        signal.signal(signal.SIGINT, before)
    assert (met, result.reason, result.is_signalled) == (["before"], "enough", False)


def test_in_another_thread_signals_are_left_to_the_main_one():
    """A worker of a cluster runs backtests there; only ``stop`` ends such a bot."""

    async def run():
        container, notes = parts()
        result = await manager_of(container).run(lambda: container.stop_request().request("enough"))
        return result.reason, notes.stopped()

    with ThreadPoolExecutor(1) as threads:
        reason, stopped = threads.submit(asyncio.run, run()).result()
    assert (reason, stopped) == ("enough", list(NAMES[::-1]))


# -- at the edges -----------------------------------------------------------------------------------------------


async def test_starting_a_bot_that_is_up_is_refused_and_leaves_it_up():
    container, _ = parts()
    await container.init_resources()
    with pytest.raises(IllegalPhase, match="a bot that is ready cannot become starting"):
        await container.init_resources()
    assert container.registry.phase is Phase.READY
    with pytest.raises(OverrideRefused):
        container.file.override(None)
    await container.shutdown_resources()


async def test_the_start_as_a_whole_has_a_deadline():
    """Each step may take as long as it likes, but nothing is left of the total for the third coordinator."""
    container, notes = parts()
    container.deadlines.override(providers.Object(Deadlines(start_total_s=0)))
    with pytest.raises(StartFailed, match="the start did not end within 0 s"):
        await container.init_resources()
    assert notes.events == []


async def test_what_goes_wrong_while_a_start_is_undone_is_told_with_its_cause():
    container, _ = parts(strategy__initialize="fail", runtime__shutdown="fail")
    with pytest.raises(StartFailed, match=r"while undoing the start: runtime\.shutdown") as failed:
        await container.init_resources()
    assert [str(leftover) for leftover in failed.value.leftovers] == ["runtime.shutdown"]


async def test_what_goes_wrong_while_a_cancelled_start_is_undone_is_noted():
    container, notes = parts(runtime__shutdown="fail")
    start = asyncio.ensure_future(container.init_resources())
    await notes.reached("strategy.initialize")
    start.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await start
    assert cancelled.value.__notes__ == ["while undoing the start: runtime.shutdown"]


async def test_the_first_reason_to_stop_is_kept_and_a_failure_overrules_it():
    request = StopRequest()
    request.request("first")
    request.request("second")
    assert (request.reason, request.exit_code) == ("first", ExitCode.CLEAN)
    request.fail("pump", "broken")
    request.fail("other", "broken too")
    assert (request.reason, request.exit_code) == ("pump failed: broken", ExitCode.CRITICAL_FAILURE)


async def test_a_stop_of_tasks_that_is_itself_cancelled_lets_the_cancellation_through():
    supervisor = Supervisor(lambda *_: None)
    policy = RestartPolicy.temporary()
    supervisor.spawn("stubborn", lambda: stubborn(3), restart=policy, critical=False, owner="part")
    supervisor.release()
    for _ in range(3):
        await asyncio.sleep(0)
    stopping = asyncio.ensure_future(supervisor.stop(1))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await end_all()


async def test_overrides_can_be_taken_back_before_the_start():
    container, notes = parts()
    container.strategy_factory.override(providers.Object(None))
    container.strategy_factory.reset_override()
    await container.init_resources()
    await container.shutdown_resources()
    assert notes.stopped() == list(NAMES[::-1])
