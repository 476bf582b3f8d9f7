"""Brings the account up, keeps it in agreement with the exchange, and takes it down."""

import asyncio
from collections.abc import Callable

import msgspec

from app.coordinators.execution_stage import ExecutionStage
from app.coordinators.stop_policy import StopPolicy
from app.domain.events import CancelRejected, OrderUnknown, Severity
from app.domain.order import OrderStatus
from app.domain.portfolio import Portfolio
from app.domain.reasons import EXECUTION, LIFECYCLE, STOPPING
from app.execution import AccountBooks, OrderTracker, SendPoint
from app.lifecycle import BaseCoordinator, CoordinatorContext, HealthState, HealthStatus, RestartPolicy, Supervisor
from app.ports.connection import ExchangeUnavailable
from app.ports.journal import JournalFailed, LeaseLost
from app.ports.risk import Risk


class _Up(msgspec.Struct, frozen=True):
    """What there is only once the books are up."""

    stage: ExecutionStage
    stop_policy: StopPolicy
    send_point: SendPoint


class ExecutionCoordinator(BaseCoordinator):
    """Rebuilds the books from the journal, and makes them agree with the exchange before anything may grow."""

    name = EXECUTION
    critical = True

    def __init__(self, make_send_point: Callable[..., SendPoint], risk: Risk) -> None:
        super().__init__()
        self._make_send_point = make_send_point
        self._risk = risk
        self._up: _Up | None = None
        """None until the books are up: a start that fails before that is taken down, too."""
        self._lease_is_lost = asyncio.Event()
        self._progress = asyncio.Event()
        """Set when something has happened to the account, for whoever waits for it to be settled."""

    @property
    def stage(self) -> ExecutionStage:
        """What the pump hands events to."""
        return self._parts.stage

    @property
    def stop_policy(self) -> StopPolicy:
        """What is done before the bot ends."""
        return self._parts.stop_policy

    @property
    def _parts(self) -> _Up:
        if self._up is None:
            raise RuntimeError("initialize() comes first")
        return self._up

    async def initialize(self, context: CoordinatorContext) -> CoordinatorContext:
        """Rebuild the books from the journal, and make them agree with the exchange before anything may grow."""
        account, instruments = context.settings.account, context.instruments
        portfolio = Portfolio(account.id, account.currency, instruments, account.margin_mode, account.leverage)
        books = AccountBooks(portfolio, OrderTracker(), instruments, context.trading_state, context.clock)
        send_point = self._make_send_point(
            journal=context.journal,
            risk=self._risk,
            books=books,
            ids=context.ids,
            trading_state=context.trading_state,
            publish=context.facts.publish,
            tell=self._take_in,
            on_lost=lambda _: self._lease_is_lost.set(),
        )
        self._lease_is_lost = asyncio.Event()
        stage = ExecutionStage(context, books, self._risk, send_point, self._progress.set)
        policy, unsafe = context.settings.execution.stop_policy, stage.pursuits.unsafe
        self._up = _Up(stage, StopPolicy(policy, books, send_point, stage.flatten, unsafe, self._progress), send_point)
        await stage.open()
        return context.evolve(self.name, portfolio=portfolio, risk=self._risk, execution=stage)

    async def start_background_tasks(self, context: CoordinatorContext, supervisor: Supervisor) -> None:
        """Compare with the exchange, ask for orders whose outcome is unknown, and press for cancels unconfirmed."""
        del context
        supervisor.spawn(
            "execution.cancel_growth",
            self.stage.growth.run,
            restart=RestartPolicy.permanent(),
            critical=True,
            owner=self.name,
        )
        supervisor.spawn(
            "execution.lease",
            self._end_with_the_lease,
            restart=RestartPolicy.temporary(),
            critical=True,
            owner=self.name,
        )
        supervisor.spawn(
            "execution.reconcile",
            self._reconcile_loop,
            restart=RestartPolicy.permanent(),
            critical=True,
            owner=self.name,
        )
        supervisor.spawn(
            "execution.resolve_unknown",
            self._resolve_loop,
            restart=RestartPolicy.permanent(),
            critical=True,
            owner=self.name,
        )

    async def drain(self) -> None:
        """Work the stop policy off, and put the end on record."""
        context, up = self.context, self._up
        policy = context.settings.execution.stop_policy
        context.trading_state.raise_reason(LIFECYCLE, STOPPING, Severity.REDUCE_ONLY, f"stop policy {policy}")
        if up is None:
            return
        try:
            if up.send_point.lost is not None:
                return
            await up.stop_policy.work_off()
        finally:
            up.stage.save_state()
        failure = context.journal.failure
        if failure is not None:
            raise JournalFailed(f"the end of the run is not on record: {failure}")

    async def shutdown(self) -> None:
        """Say what is left, if the drain had to be given up."""
        if self._up is not None:
            self._up.stop_policy.check()

    async def health_check(self) -> HealthStatus:
        """Degraded while an order's outcome is unknown, a position is bare or stays; unhealthy when the store fails."""
        failure, stage = self.context.journal.failure, self.stage
        tracker = stage.books.tracker
        unknown = [item for item in tracker.all_working() if item.status is OrderStatus.UNKNOWN]
        bare, stuck = stage.bare(), stage.stuck()
        details = {"working_orders": str(tracker.open_orders), "unknown_orders": str(len(unknown))}
        if bare:
            details["without_stop"] = ", ".join(bare)
        if stuck:
            details["stuck"] = "; ".join(f"{symbol}: {why}" for symbol, why in stuck.items())
        degraded = HealthState.DEGRADED if unknown or bare or stuck else HealthState.HEALTHY
        return self.status(
            HealthState.UNHEALTHY if failure else degraded, details=details, error=str(failure) if failure else None
        )

    def _take_in(self, event: OrderUnknown | CancelRejected) -> None:
        """Take in what the exchange's stream will not tell, as if it had."""
        self.stage.apply(event)

    # -- background ----------------------------------------------------------------------------------------------

    async def _reconcile_loop(self) -> None:
        stage, settings = self.stage, self.context.settings.execution
        while True:
            await stage.reconciler.wait(settings.reconcile_every_s)
            try:
                await stage.agreement.compare()
            except ExchangeUnavailable:
                await asyncio.sleep(settings.unknown_query_every_s)
            else:
                self.beat()

    async def _end_with_the_lease(self) -> None:
        """Stop the bot when another one may write for the account: it must not even cancel any more."""
        await self._lease_is_lost.wait()
        raise self._parts.send_point.lost or LeaseLost("another bot writes for this account")

    async def _resolve_loop(self) -> None:
        context, stage = self.context, self.stage
        while True:
            await asyncio.sleep(context.settings.execution.unknown_query_every_s)
            failure = context.journal.failure
            if failure is not None:
                # The store may fail after it has taken an intent: what waits for it would wait for ever.
                self._parts.send_point.store_failed(failure)
            await stage.agreement.resolve()
            self.beat()
