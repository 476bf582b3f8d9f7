"""A background task that dies is restarted; past its limit it degrades or stops the bot, as declared."""

import asyncio

import pytest
from dependency_injector import providers

from app.lifecycle import HealthState, RestartPolicy, Supervisor, TaskState
from app.lifecycle.supervisor import Restart
from app.timing import run_virtual
from tests.lifecycle.parts import Part, Planned, parts, stubborn


class Work:
    """Fails as often as it is told, then runs for ever, or ends."""

    def __init__(self, failures, *, ends=False) -> None:
        self.failures = failures
        self.ends = ends
        self.starts = []

    async def __call__(self):
        self.starts.append(asyncio.get_running_loop().time())
        if len(self.starts) <= self.failures:
            raise Planned(f"death {len(self.starts)}")
        if not self.ends:
            await asyncio.Event().wait()


def supervise(work, policy, *, critical=True, seconds=100.0):
    """Run a task for some virtual seconds; return its status and what was fatal."""
    fatal = []

    async def scenario():
        supervisor = Supervisor(lambda *what: fatal.append(what))
        supervisor.spawn("part.task", work, restart=policy, critical=critical, owner="part")
        supervisor.release()
        await asyncio.sleep(seconds)
        [status] = supervisor.statuses("part")
        assert supervisor.statuses("nobody") == ()
        assert await supervisor.stop(1) == []
        return status

    return run_virtual(scenario()), fatal


def test_a_permanent_task_is_restarted_with_growing_pauses():
    """Deaths 1, 2, 3 are followed by pauses of 0.1, 0.2 and 0.4 s."""
    work = Work(3)
    status, fatal = supervise(work, RestartPolicy.permanent())
    pauses = [round(after - before, 3) for before, after in zip(work.starts, work.starts[1:], strict=False)]
    assert pauses == [0.1, 0.2, 0.4]
    assert (status.state, status.restarts, status.last_error, fatal) == (
        TaskState.RUNNING,
        3,
        "Planned: death 3",
        [],
    )


def test_a_permanent_task_must_not_end():
    status, _ = supervise(Work(0, ends=True), RestartPolicy(Restart.PERMANENT, intensity=2))
    assert (status.state, status.last_error) == (TaskState.EXHAUSTED, "it ended, and must not")


def test_past_its_limit_a_critical_task_is_fatal():
    status, fatal = supervise(Work(99), RestartPolicy(Restart.PERMANENT, intensity=2))
    assert (status.state, status.restarts) == (TaskState.EXHAUSTED, 2)
    assert fatal == [("part.task", "Planned: death 3")]


def test_past_its_limit_an_optional_task_is_not_fatal():
    status, fatal = supervise(Work(99), RestartPolicy(Restart.PERMANENT, intensity=2), critical=False)
    assert (status.state, fatal) == (TaskState.EXHAUSTED, [])


def test_deaths_far_apart_are_never_too_many():
    """Three deaths with two seconds between them, one allowed each second."""
    policy = RestartPolicy(Restart.PERMANENT, intensity=1, window_s=1.0, backoff_s=2.0)
    status, fatal = supervise(Work(3), policy)
    assert (status.state, status.restarts, fatal) == (TaskState.RUNNING, 3, [])


def test_a_transient_task_may_end_and_is_restarted_when_it_fails():
    work = Work(1, ends=True)
    status, _ = supervise(work, RestartPolicy.transient())
    assert (status.state, len(work.starts)) == (TaskState.FINISHED, 2)


def test_a_temporary_task_is_never_restarted():
    assert supervise(Work(0, ends=True), RestartPolicy.temporary())[0].state is TaskState.FINISHED
    status, fatal = supervise(Work(1), RestartPolicy.temporary())
    assert (status.state, status.restarts, len(fatal)) == (TaskState.EXHAUSTED, 0, 1)


def test_a_task_whose_inner_wait_is_cancelled_is_dead_and_not_silent():
    async def betrayed():
        inner = asyncio.ensure_future(asyncio.sleep(10))
        inner.cancel()
        await inner

    status, fatal = supervise(betrayed, RestartPolicy.temporary())
    assert (status.state, fatal) == (TaskState.EXHAUSTED, [("part.task", "what it waited for was cancelled")])


def test_two_tasks_of_one_name_are_refused():
    async def scenario():
        supervisor = Supervisor(lambda *_: None)
        supervisor.spawn("a", Work(0), restart=RestartPolicy.permanent(), critical=False, owner="part")
        with pytest.raises(ValueError, match="runs already"):
            supervisor.spawn("a", Work(0), restart=RestartPolicy.permanent(), critical=False, owner="part")
        await supervisor.stop(1)

    run_virtual(scenario())


def test_a_task_that_does_not_stop_is_named_and_keeps_no_other():
    async def scenario():
        supervisor = Supervisor(lambda *_: None)
        supervisor.spawn("first", Work(0), restart=RestartPolicy.permanent(), critical=False, owner="part")
        supervisor.spawn(
            "stubborn", lambda: stubborn(2), restart=RestartPolicy.temporary(), critical=False, owner="part"
        )
        supervisor.release()
        supervisor.spawn("done", Work(0, ends=True), restart=RestartPolicy.temporary(), critical=False, owner="part")
        await asyncio.sleep(0.01)
        errors = await supervisor.stop(0.05)
        await asyncio.sleep(1)
        return errors

    [error] = run_virtual(scenario())
    assert "background task stubborn did not end within 0.05 s and ignored its cancellation" in str(error)


def test_no_task_works_before_all_are_released():
    async def scenario():
        work = Work(0)
        supervisor = Supervisor(lambda *_: None)
        supervisor.spawn("early", work, restart=RestartPolicy.permanent(), critical=False, owner="part")
        await asyncio.sleep(5)
        assert work.starts == []
        supervisor.release()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(work.starts) == 1
        await supervisor.stop(1)

    run_virtual(scenario())


# -- in the bot -------------------------------------------------------------------------------------------------


class WithTask(Part):
    """A part whose background task dies at once, every time."""

    policy = RestartPolicy(Restart.PERMANENT, intensity=1, backoff_s=0.001)

    async def start_background_tasks(self, context, supervisor):
        supervisor.spawn(f"{self.name}.task", Work(99), restart=self.policy, critical=self.critical, owner=self.name)


async def started_with_task(*, critical):
    container, notes = parts()
    container.strategy_factory.override(providers.Factory(WithTask, "strategy", notes, critical))
    await container.init_resources()
    for _ in range(50):
        await asyncio.sleep(0.001)
    return container


async def test_an_optional_part_s_dead_task_degrades_it():
    container = await started_with_task(critical=False)
    report = await container.health()
    [strategy] = [item for item in report.components if item.component == "strategy"]
    assert strategy.state is HealthState.DEGRADED
    assert "strategy.task exhausted after 1 restarts: Planned: death 2" in strategy.error
    assert (report.alive, report.ready) == (True, True)
    await container.shutdown_resources()


async def test_a_critical_part_s_dead_task_asks_for_a_stop_with_code_5():
    container = await started_with_task(critical=True)
    report = await container.health()
    [strategy] = [item for item in report.components if item.component == "strategy"]
    assert strategy.state is HealthState.UNHEALTHY
    assert (report.alive, report.ready) == (False, False)
    assert container.stop_request().exit_code == 5
    await container.shutdown_resources()


async def test_a_task_between_two_starts_degrades():
    container, notes = parts()
    WithTask.policy, kept = RestartPolicy(Restart.PERMANENT, intensity=5, backoff_s=10), WithTask.policy
    container.strategy_factory.override(providers.Factory(WithTask, "strategy", notes))
    try:
        await container.init_resources()
        await asyncio.sleep(0.01)
        report = await container.health()
    finally:
        WithTask.policy = kept
        await container.shutdown_resources()
    [strategy] = [item for item in report.components if item.component == "strategy"]
    assert (strategy.state, report.ready) == (HealthState.DEGRADED, True)
