"""Bugs in protection, in the halt, in what is said of oneself, and in start and end."""

import asyncio

import msgspec

from app.container_lifecycle import LifecycleContainer
from app.coordinators.execution import ExecutionCoordinator
from app.coordinators.growth_canceller import GrowthCanceller
from app.coordinators.operator_desk import OperatorDesk
from app.coordinators.reconciler import Reconciler, ReconciliationFailed
from app.coordinators.runtime import RuntimeCoordinator
from app.coordinators.stop_policy import StopPolicy
from app.coordinators.trading_state import TradingStateOwner
from app.domain.events import HaltCommand, ReasonRaised, Severity
from app.domain.order import PROTECTIVE, OrderStatus, Purpose
from app.domain.reasons import EXECUTION, HALT, OPERATOR
from app.execution import pursuits as pursuing
from app.execution.pursuits import Pursuits
from app.execution.send_point import STORE_FAILED
from app.lifecycle import HealthState, StopRequest, Supervisor
from app.lifecycle.health import TaskState
from app.ports.exit_codes import ExitCode
from app.risk import RiskEngine
from app.timing import SequentialIds
from tests.simulation.planted.bug import Bug, Veiled, around


def planned(patch, change):
    def plan(original, pursuit, held, working, *rest, **options):
        todo = original(pursuit, held, working, *rest, **options)
        return change(todo, tuple(working))

    around(patch, pursuing, "plan", plan)


def protection_keeps_its_size(patch):
    def change(todo, working):
        there = {item.order.purpose for item in working if item.order.purpose in PROTECTIVE}
        todo.send = [order for order in todo.send if order.purpose not in there]
        todo.cancel = [(item, why) for item, why in todo.cancel if why != "protection resized"]
        return todo

    planned(patch, change)


def no_work_after(patch, purposes):
    def after_end(original, pursuits, tracked):
        if tracked.order.purpose not in purposes:
            original(pursuits, tracked)

    around(patch, Pursuits, "after_end", after_end)


def the_old_stop_goes_first(patch):
    def change(todo, working):
        resized = {item.order.purpose for item, why in todo.cancel if why == "protection resized"}
        todo.send = [order for order in todo.send if order.purpose not in resized]
        return todo

    planned(patch, change)
    no_work_after(patch, PROTECTIVE)


def a_refused_stop_is_given_up(patch):
    no_work_after(patch, PROTECTIVE)


def protection_waits_for_a_restart(patch):
    def change(todo, working):
        todo.send = [order for order in todo.send if order.purpose is not Purpose.STOP_LOSS or order.contracts < 1]
        return todo

    planned(patch, change)


def protection_is_forgotten(patch):
    patch.setattr(Pursuits, "resume", lambda pursuits: None)
    patch.setattr(Pursuits, "save", lambda pursuits: None)


def a_restart_protects_nothing(patch):
    patch.setattr(Pursuits, "resume", lambda pursuits: None)


def taken_off_the_record(patch, change):
    """Have targets changed that are decided once the store has failed: what is handed to the store is as it was."""

    def put(original, pursuits, target):
        is_off = pursuits._trading_state.current.holds(EXECUTION, STORE_FAILED)
        original(pursuits, change(pursuits, target) if is_off else target)

    around(patch, Pursuits, "_put", put)


def off_the_record_no_stop_is_wanted(patch):
    taken_off_the_record(patch, lambda _, target: msgspec.structs.replace(target, stop=None, trailing=None))


def off_the_record_what_is_held_is_wanted(patch):
    def change(pursuits, target):
        return msgspec.structs.replace(target, contracts=pursuits._portfolio.position(target.symbol).contracts)

    taken_off_the_record(patch, change)


def the_halt_is_not_latched(patch):
    def raise_reason(original, owner, owner_name, code, severity, detail, *, latched=False):
        original(owner, owner_name, code, severity, detail)

    around(patch, TradingStateOwner, "raise_reason", raise_reason)


def the_halt_is_not_written(patch):
    class Deaf:
        def append(self, *records):
            return None

    def make(original, owner, clock, journal, post, recovered):
        original(owner, clock, Deaf(), post, recovered)

    around(patch, TradingStateOwner, "__init__", make)


def a_restart_lifts_the_halt(patch):
    def make(original, owner, clock, journal, post, recovered):
        original(owner, clock, journal, post, ())

    around(patch, TradingStateOwner, "__init__", make)


def the_halt_waits_for_its_turn(patch):
    def halt(desk, reason):
        context = desk._context()
        now = context.clock.now_ns
        desk._post(HaltCommand(now, reason))
        desk._post(
            ReasonRaised(time_ns=now, owner=OPERATOR, code=HALT, severity=Severity.HALTED, detail=reason, latched=True)
        )

    patch.setattr(OperatorDesk, "halt", halt)


def the_halt_is_mild(patch):
    def raise_reason(original, owner, name, code, severity, detail, *, latched=False):
        original(owner, name, code, Severity.REDUCE_ONLY, detail, latched=latched)

    around(patch, TradingStateOwner, "raise_reason", raise_reason)


def a_halt_cancels_nothing(patch):
    patch.setattr(GrowthCanceller, "cancel", lambda canceller, reason, symbols=None: None)
    patch.setattr(GrowthCanceller, "press", lambda canceller: None)


def agreement_lifts_everything(patch):
    def clear(original, owner, name, code):
        original(owner, name, code)
        for reason in owner.current.latched:
            owner.lift_reason(reason.owner, reason.code)

    around(patch, TradingStateOwner, "clear_reason", clear)


def a_resume_lifts_nothing(patch):
    patch.setattr(TradingStateOwner, "lift_reason", lambda owner, name, code: None)


def always_healthy(patch):
    async def health_check(execution):
        return execution.status(HealthState.HEALTHY)

    patch.setattr(ExecutionCoordinator, "health_check", health_check)


def a_failed_store_is_degraded(patch):
    async def health_check(execution):
        failure = execution.context.journal.failure
        return execution.status(HealthState.DEGRADED if failure else HealthState.HEALTHY, error=str(failure))

    patch.setattr(ExecutionCoordinator, "health_check", health_check)


def a_dead_task_runs(patch):
    def statuses(original, supervisor, owner=None):
        return tuple(msgspec.structs.replace(s, state=TaskState.RUNNING) for s in original(supervisor, owner))

    around(patch, Supervisor, "statuses", statuses)
    patch.setattr(Supervisor, "_give_up", lambda supervisor, supervised: None)


def a_dead_pump_is_ready(patch):
    def give_up(supervisor, supervised):
        supervised.state = TaskState.FINISHED

    patch.setattr(Supervisor, "_give_up", give_up)


def a_failure_is_a_clean_end(patch):
    patch.setattr(StopRequest, "fail", lambda request, part, error: request.request(f"{part} failed: {error}"))


def a_failure_has_no_code(patch):
    def fail(original, request, part, error):
        original(request, part, error)
        request.exit_code = ExitCode.CLEAN

    around(patch, StopRequest, "fail", fail)


async def nothing(*_):
    return None


def nobody_drains(patch):
    patch.setattr(ExecutionCoordinator, "drain", nothing)


def the_drain_does_not_wait(patch):
    patch.setattr(StopPolicy, "left_over", lambda policy: [])
    patch.setattr(StopPolicy, "unconfirmed", lambda policy: [])


def the_drain_does_not_cancel(patch):
    async def drain(original, execution):
        policy = execution.stop_policy
        point, policy._send_point = policy._send_point, Veiled(policy._send_point, cancel=lambda *_: None)
        try:
            async with asyncio.timeout(1.0):
                await original(execution)
        except TimeoutError:
            pass
        finally:
            policy._send_point = point

    around(patch, ExecutionCoordinator, "drain", drain)


def a_stop_swallows_its_errors(patch):
    async def stop(original, container, resource_type=None):
        try:
            await original(container, resource_type)
        except ExceptionGroup:
            return

    around(patch, LifecycleContainer, "shutdown_resources", stop)


def unknown_orders_refuse_the_start(patch):
    async def begin(original, reconciler):
        if any(t.status is OrderStatus.UNKNOWN for t in reconciler._tracker.all_working()):
            raise ReconciliationFailed([])
        await original(reconciler)

    around(patch, Reconciler, "open", begin)


def the_third_start_is_refused(patch):
    def make(original, ids, account_id, epoch, *more):
        if epoch > 2:
            raise ValueError("too many starts")
        original(ids, account_id, epoch, *more)

    around(patch, SequentialIds, "__init__", make)


def reconciled_and_still_held_back(patch):
    def clear(original, owner, name, code):
        if code != "reconciling" or not any(reason.detail == "connection lost" for reason in owner.current.reasons):
            original(owner, name, code)

    around(patch, TradingStateOwner, "clear_reason", clear)


def a_guard_ends_the_pump(patch):
    def look(original, engine, books):
        if books.portfolio.equity < 99_900:
            raise ArithmeticError("a guard")
        return original(engine, books)

    around(patch, RiskEngine, "look", look)


def a_late_fact_ends_the_pump(patch):
    from app.domain.errors import IllegalTransition
    from app.execution import OrderTracker

    def apply(original, tracker, event):
        before = tracker.find(event.client_order_id)
        tracked = original(tracker, event)
        if tracked is None and before is not None:
            raise IllegalTransition(event.client_order_id, before.status, OrderStatus.OPEN)
        return tracked

    around(patch, OrderTracker, "apply", apply)


def an_unreadable_account_ends_the_bot(patch):
    from app.ports.connection import ExchangeUnavailable

    async def compare(original, reconciler):
        try:
            return await original(reconciler)
        except ExchangeUnavailable as error:
            reconciler._context.facts.publish(error)
            raise SystemError("give up") from error

    around(patch, Reconciler, "compare", compare)
    around(
        patch,
        Supervisor,
        "spawn",
        lambda spawn, supervisor, name, work, **given: spawn(
            supervisor, name, work, **given | {"restart": msgspec.structs.replace(given["restart"], intensity=0)}
        ),
    )


def a_stopped_pump_is_not_missed(patch):
    async def pump(original, runtime):
        try:
            await original(runtime)
        except ArithmeticError:
            return

    around(patch, RuntimeCoordinator, "_pump", pump)


BUGS = {
    "protection_keeps_its_size": Bug(
        "positions_are_protected", protection_keeps_its_size, "a stop keeps its size when the position changes"
    ),
    "the_old_stop_goes_first": Bug(
        "positions_are_protected", the_old_stop_goes_first, "the stop is canceled, and none is sent in its place"
    ),
    "a_refused_stop_is_given_up": Bug(
        "positions_are_protected", a_refused_stop_is_given_up, "a stop that is refused is not sent again"
    ),
    "protection_is_forgotten": Bug(
        "positions_are_protected", protection_is_forgotten, "a restart forgets what protection was wanted"
    ),
    "a_restart_protects_nothing": Bug(
        "positions_are_protected", a_restart_protects_nothing, "a restart sends no stop for what it finds bare"
    ),
    "protection_waits": Bug(
        "positions_are_protected", protection_waits_for_a_restart, "positions above a size get no stop"
    ),
    "off_the_record_no_stop_is_wanted": Bug(
        "positions_are_protected", off_the_record_no_stop_is_wanted, "targets after the store has failed get no stop"
    ),
    "off_the_record_what_is_held_is_wanted": Bug(
        "exits_get_through", off_the_record_what_is_held_is_wanted, "targets after the store has failed are not pursued"
    ),
    "the_halt_is_not_latched": Bug("halt_is_kept", the_halt_is_not_latched, "the halt is not latched"),
    "the_halt_is_not_written": Bug("halt_is_kept", the_halt_is_not_written, "the halt is not put on record"),
    "a_restart_lifts_the_halt": Bug("halt_is_kept", a_restart_lifts_the_halt, "a restart forgets the halt"),
    "the_halt_waits_for_its_turn": Bug("halt_is_kept", the_halt_waits_for_its_turn, "the halt waits in the stream"),
    "the_halt_is_mild": Bug("halt_is_kept", the_halt_is_mild, "the halt lets strategies and orders be"),
    "a_halt_cancels_nothing": Bug("halt_is_kept", a_halt_cancels_nothing, "a halt leaves orders that can grow"),
    "agreement_lifts_everything": Bug(
        "halt_is_kept", agreement_lifts_everything, "whoever takes a reason back takes the operator's, too"
    ),
    "a_resume_lifts_nothing": Bug("halt_is_kept", a_resume_lifts_nothing, "a resume does not end the halt"),
    "always_healthy": Bug("health_is_true", always_healthy, "the health check always says healthy"),
    "a_failed_store_is_degraded": Bug(
        "health_is_true", a_failed_store_is_degraded, "a failed store does not make the bot unready"
    ),
    "a_dead_task_runs": Bug("health_is_true", a_dead_task_runs, "a task that died is said to run, and stops nothing"),
    "a_dead_pump_is_ready": Bug("health_is_true", a_dead_pump_is_ready, "a pump that died ends nothing"),
    "a_stopped_pump_is_not_missed": Bug(
        "health_is_true", a_stopped_pump_is_not_missed, "the pump ends at an error as if it were done"
    ),
    "a_failure_is_a_clean_end": Bug("exit_code_is_true", a_failure_is_a_clean_end, "a failure asks for a clean stop"),
    "a_failure_has_no_code": Bug("exit_code_is_true", a_failure_has_no_code, "a failure ends with code 0"),
    "nobody_drains": Bug("stop_leaves_nothing", nobody_drains, "a stop leaves the working orders"),
    "the_drain_does_not_wait": Bug(
        "stop_leaves_nothing", the_drain_does_not_wait, "a stop does not wait until its cancels are confirmed"
    ),
    "the_drain_does_not_cancel": Bug("stop_leaves_nothing", the_drain_does_not_cancel, "a stop cancels nothing"),
    "a_stop_swallows_its_errors": Bug(
        "stop_leaves_nothing", a_stop_swallows_its_errors, "what went wrong in a stop is not told"
    ),
    "unknown_orders_refuse_the_start": Bug(
        "bot_comes_up", unknown_orders_refuse_the_start, "an order of unknown outcome refuses the start"
    ),
    "the_third_start_is_refused": Bug("bot_comes_up", the_third_start_is_refused, "every start but two is refused"),
    "reconciled_and_still_held_back": Bug(
        "bot_comes_up", reconciled_and_still_held_back, "after a lost connection trading never goes on"
    ),
    "a_guard_ends_the_pump": Bug("bot_stays_up", a_guard_ends_the_pump, "the error of a guard ends the bot"),
    "a_late_fact_ends_the_pump": Bug("bot_stays_up", a_late_fact_ends_the_pump, "a fact that comes late ends the bot"),
    "an_unreadable_account_ends_the_bot": Bug(
        "bot_stays_up", an_unreadable_account_ends_the_bot, "an account that cannot be read ends the bot"
    ),
}
