"""What happens when two things happen at once: a stop and a start, a failure and a cancellation, a hang and a stop."""

import asyncio
from contextlib import suppress

import pytest
from dependency_injector import providers

from app.lifecycle import (
    Deadlines,
    ExitCode,
    HealthState,
    IllegalPhase,
    LifecycleManager,
    OverrideRefused,
    Phase,
    RestartPolicy,
    StartFailed,
    Supervisor,
    TaskState,
)
from app.lifecycle.supervisor import Restart
from app.lifecycle.waiting import bounded
from app.timing import run_virtual
from tests.lifecycle.parts import NAMES, SHORT, Part, Planned, alive, end_all, parts, stubborn


def swap(container, name, kind, notes):
    getattr(container, f"{name}_factory").override(providers.Factory(kind, name, notes))


async def ticks(count):
    for _ in range(count):
        await asyncio.sleep(0)


def manager_of(container):
    return LifecycleManager(
        container.init_resources, container.shutdown_resources, container.stop_request(), lambda: None
    )


# -- a step that is cancelled from inside -----------------------------------------------------------------------


async def test_a_start_cancelled_from_inside_is_a_failed_start():
    """Something that the step waited for was cancelled, nobody asked for a stop: that is no clean end."""
    container, _ = parts(execution__initialize="cancelled")
    result = await manager_of(container).run()
    assert result.exit_code is ExitCode.START_FAILED
    assert result.reason == "execution (initialize) was cancelled from inside (execution failed in initialize)"


async def test_a_health_check_cancelled_from_inside_is_unhealthy_and_hurts_no_other():
    class Betrayed(Part):
        async def health_check(self):
            raise asyncio.CancelledError

    container, notes = parts()
    swap(container, "strategy", Betrayed, notes)
    await container.init_resources()
    states = {item.component: item.state for item in (await container.health()).components}
    await container.shutdown_resources()
    assert states == dict.fromkeys(NAMES, HealthState.HEALTHY) | {"strategy": HealthState.UNHEALTHY}


async def test_a_health_check_that_answers_nonsense_is_unhealthy_and_hurts_no_other():
    class Nonsense(Part):
        async def health_check(self):
            return True

    container, notes = parts()
    swap(container, "strategy", Nonsense, notes)
    await container.init_resources()
    [sick] = [item for item in (await container.health()).components if item.state is not HealthState.HEALTHY]
    await container.shutdown_resources()
    assert (sick.component, sick.error) == ("strategy", "TypeError: health_check returned a bool")


# -- a cancellation during the clean-up -------------------------------------------------------------------------


async def test_a_failure_stays_a_failure_when_its_undoing_is_cancelled():
    container, notes = parts(strategy__initialize="fail")
    start = asyncio.ensure_future(container.init_resources())
    await notes.reached("strategy.shutdown")
    start.cancel()
    with pytest.raises(StartFailed, match="strategy failed in initialize"):
        await start
    assert container.registry.phase is Phase.FAILED
    assert not alive()


async def test_a_stop_that_is_cancelled_still_tells_what_went_wrong():
    container, notes = parts(strategy__shutdown="fail")
    await container.init_resources()
    stop = asyncio.ensure_future(container.shutdown_resources())
    await notes.reached("strategy.shutdown")
    stop.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await stop
    assert cancelled.value.__notes__ == ["while stopping: strategy.shutdown"]
    assert notes.stopped() == list(NAMES[::-1])


async def test_a_start_that_is_given_up_and_cannot_be_undone_cleanly_ends_with_6():
    container, notes = parts(execution__initialize="hang", runtime__shutdown="fail")
    running = asyncio.ensure_future(manager_of(container).run())
    await notes.reached("execution.initialize")
    container.stop_request().request("SIGTERM")
    result = await running
    assert (result.exit_code, result.reason) == (ExitCode.UNCLEAN_STOP, "SIGTERM during the start")
    assert result.errors == (
        "execution (initialize) ignored its cancellation and was abandoned",
        "while undoing the start: runtime.shutdown",
    )
    await end_all()


async def test_a_run_cancelled_twice_during_the_start_leaves_nothing():
    container, notes = parts()
    running = asyncio.ensure_future(manager_of(container).run())
    await notes.reached("execution.initialize")
    for _ in range(3):
        running.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert notes.stopped()[-1] == "telemetry"
    assert not alive()


def test_a_step_cancelled_twice_still_gets_its_grace():
    """It cleans up for 0.05 s after its cancellation; the second cancellation of the caller does not cut that."""
    ended = []

    async def tidy():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            ended.append("tidied")

    async def scenario():
        caller = asyncio.ensure_future(bounded(tidy(), 10, "tidy"))
        for _ in range(3):
            await asyncio.sleep(0.01)
            caller.cancel()
        with suppress(asyncio.CancelledError):
            await caller
        assert ended == ["tidied"]

    run_virtual(scenario())


# -- starts and stops at once -----------------------------------------------------------------------------------


async def test_a_start_asked_for_during_a_stop_comes_after_it_and_is_locked():
    container, notes = parts()
    await container.init_resources()
    notes.events.clear()
    await asyncio.gather(container.shutdown_resources(), container.init_resources())
    assert notes.events.index("file.close") < notes.events.index("file.open")
    assert container.registry.phase is Phase.READY
    with pytest.raises(OverrideRefused):
        container.strategy_factory.override(providers.Object(None))
    await container.shutdown_resources()


async def test_a_stop_asked_for_during_a_start_comes_after_it():
    container, notes = parts()
    await asyncio.gather(container.init_resources(), container.shutdown_resources())
    assert container.registry.phase is Phase.STOPPED
    assert notes.stopped() == list(NAMES[::-1])


@pytest.mark.parametrize("second", ["init_resources", "shutdown_resources"])
async def test_giving_up_a_second_call_unlocks_nothing(second):
    container, notes = parts()
    start = asyncio.ensure_future(container.init_resources())
    await ticks(3)
    waiting = asyncio.ensure_future(getattr(container, second)())
    await ticks(3)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    with pytest.raises(OverrideRefused):
        container.strategy_factory.override(providers.Factory(Part, "strategy", notes))
    await start
    await container.shutdown_resources()


async def test_an_override_within_a_with_block_cannot_end_while_the_bot_is_up():
    container, _ = parts()
    with pytest.raises(OverrideRefused), container.file.override(providers.Object("mine")):
        await container.init_resources()
    await container.shutdown_resources()
    container.file.reset_last_overriding()
    assert not container.file.overridden


async def test_deadlines_overridden_between_two_runs_are_the_next_run_s():
    container, _ = parts()
    await container.init_resources()
    await container.shutdown_resources()
    container.deadlines.override(providers.Object(Deadlines(start_total_s=0)))
    with pytest.raises(StartFailed, match="the start did not end within 0 s"):
        await container.init_resources()


def test_a_bot_can_run_again_in_another_event_loop():
    container, _ = parts()

    async def run():
        return await manager_of(container).run(lambda: container.stop_request().request("enough"))

    assert [asyncio.run(run()).reason for _ in range(2)] == ["enough", "enough"]


async def test_whatever_on_ready_raises_the_bot_is_stopped():
    """The terminal that it wrote to is gone: the bot must not be left running behind it."""
    container, notes = parts(strategy__shutdown="fail")

    def broken_pipe():
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError) as raised:
        await manager_of(container).run(broken_pipe)
    assert container.registry.phase is Phase.STOPPED
    assert notes.stopped() == list(NAMES[::-1])
    assert raised.value.__notes__ == ["while stopping: Planned: strategy.shutdown (in shutdown of strategy)"]


# -- background tasks and a stop --------------------------------------------------------------------------------


def stopped(*works, seconds=1.0):
    """Run background tasks, and stop them after a virtual second; return errors, duration, states, and restarts."""

    async def scenario():
        loop, fatal = asyncio.get_running_loop(), []
        supervisor = Supervisor(lambda *what: fatal.append(what))
        for place, work in enumerate(works):
            supervisor.spawn(
                f"task{place}", work, restart=RestartPolicy(Restart.PERMANENT), critical=True, owner="part"
            )
        supervisor.release()
        await asyncio.sleep(1)
        began = loop.time()
        errors = await supervisor.stop(seconds)
        took = loop.time() - began
        states = [status.state for status in supervisor.statuses()]
        with pytest.raises(IllegalPhase, match="late"):
            supervisor.spawn("late", works[0], restart=RestartPolicy.permanent(), critical=True, owner="part")
        for task in alive():
            task.cancel()
        await asyncio.sleep(100)
        assert fatal == []
        return [str(error) for error in errors], took, states

    return run_virtual(scenario())


async def swallows():
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def falls_over():
    try:
        await asyncio.Event().wait()
    finally:
        raise Planned("while it tidied up")


def test_a_task_that_swallows_its_cancellation_and_ends_is_not_restarted():
    assert stopped(swallows) == ([], 0, [TaskState.FINISHED])


def test_a_task_that_falls_over_while_it_is_stopped_is_told_and_not_restarted():
    assert stopped(falls_over) == (["while it tidied up"], 0, [TaskState.FINISHED])


def test_many_tasks_that_hang_take_no_longer_than_one():
    errors, took, states = stopped(*[lambda: stubborn(2)] * 10)
    assert took == pytest.approx(1.1)
    assert len(errors) == 10
    assert "background task task9 did not end within 1 s and ignored its cancellation" in errors[0]
    assert set(states) == {TaskState.RUNNING}


async def test_a_stop_during_a_hang_ends_in_time_and_names_what_it_abandoned():
    """Every coordinator hangs in every phase of the stop, and so does a background task: nothing waits for ever."""
    container, notes = parts(**{f"{name}__{phase}": "hang" for name in NAMES for phase in ("drain", "shutdown")})

    class Hangs(Part):
        async def start_background_tasks(self, context, supervisor):
            supervisor.spawn(
                "hangs", lambda: stubborn(2), restart=RestartPolicy.temporary(), critical=True, owner=self.name
            )

    swap(container, "strategy", Hangs, notes)
    await container.init_resources()
    await ticks(3)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ExceptionGroup) as unclean:
        await container.shutdown_resources()
    took = asyncio.get_running_loop().time() - began
    named = [error.what for error in unclean.value.exceptions]
    assert named == [
        *(f"{name} (drain)" for name in NAMES),
        "background task hangs",
        *(f"{name} (shutdown)" for name in NAMES[::-1]),
    ]
    assert took < SHORT.drain_s + SHORT.stop_total_s + len(named) * 0.15
    await end_all()


@pytest.mark.parametrize("where", ["drain", "task", "shutdown"])
async def test_a_stop_in_which_every_task_of_the_loop_is_cancelled_goes_on(where):
    """As a loop does with what is left when its main function raised: each unit is still taken down, in order."""
    began = asyncio.Event()

    async def hang():
        began.set()
        await asyncio.sleep(0.2)

    async def tidies():
        try:
            await asyncio.Event().wait()
        finally:
            await hang()

    class Hangs(Part):
        async def start_background_tasks(self, context, supervisor):
            if where == "task":
                policy = RestartPolicy.temporary()
                supervisor.spawn("tidies", tidies, restart=policy, critical=True, owner=self.name)

        async def drain(self):
            if where == "drain":
                await hang()

        async def shutdown(self):
            await super().shutdown()
            if where == "shutdown":
                await hang()

    container, notes = parts()
    swap(container, "strategy", Hangs, notes)
    await container.init_resources()
    await ticks(3)
    stop = asyncio.ensure_future(container.shutdown_resources())
    await began.wait()
    for task in alive():
        task.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await stop
    assert "cancelled from inside" in cancelled.value.__notes__[0]
    assert notes.stopped() == list(NAMES[::-1])
    assert container.registry.phase is Phase.STOPPED
    await end_all()
