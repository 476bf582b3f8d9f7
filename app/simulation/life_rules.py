"""The rules of a bot's start, of its halt, of what it says of itself, and of its stop."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from app.domain.reasons import HALT, OPERATOR, RISK, STRATEGY
from app.domain.trading_state import TradingLevel
from app.lifecycle import HealthReport, StopRequest
from app.ports.exit_codes import ExitCode
from app.ports.risk import Risk
from app.simulation.life import Life
from app.simulation.position_rules import PositionRules
from app.simulation.seen import Seen, level_of
from app.simulation.violation import Violation

RECORDED_S = 10.0
"""In which a sound store has made everything durable that it was given."""
HALTED_S_MAX = 60.0
"""In which a halted bot has canceled what can grow, whatever becomes of a cancel or two."""
RESUMED_S_MAX = 30.0
EXCUSED = frozenset({OPERATOR, RISK, STRATEGY})
"""Who may hold trading back although nothing is wrong any more: what they saw may have been so."""


class LifeRules:
    """Judges the turns of a life."""

    def __init__(self, seen: Seen, positions: PositionRules) -> None:
        self._seen = seen
        self._positions = positions
        self._risk_before: Mapping[str, Any] = {}
        self._sizes_before: dict[str, object] = {}
        self._asked_by_world = False

    def begin(self) -> None:
        """Note what is on disk when a process begins."""
        self._seen.resumed_s = None
        self._risk_before = _guards(self._seen.store.states.get(RISK))

    # -- start ---------------------------------------------------------------------------------------------------

    def on_ready(self, life: Life) -> None:
        """Judge what a start has found again."""
        seen = self._seen
        self._positions.judge_memory(life)
        self._judge_risk(life)
        self._judge_targets(life)
        if seen.halted_s is None or life.context.trading_state.current.holds(OPERATOR, HALT):
            return
        if seen.store.healthy_since_s < seen.halted_s < seen.now_s() - RECORDED_S:
            raise Violation("halt_is_kept", "the operator's halt is gone after a restart")
        # It was not yet on record when the process died, and its operator was told so.
        seen.halted_s = None

    def _judge_risk(self, life: Life) -> None:
        before, now = self._risk_before, _guards(cast("Risk", life.context.risk).snapshot())
        peak = before.get("drawdown", {}).get("peak")
        if peak is not None and float(now.get("drawdown", {}).get("peak", 0)) < float(peak):
            raise Violation("memory_survives", f"the peak of the equity was {peak}, and is forgotten")
        day, today = before.get("daily_loss", {}), now.get("daily_loss", {})
        if day and (today.get("day"), today.get("start")) != (day.get("day"), day.get("start")):
            raise Violation("memory_survives", f"the day began as {day}, and begins anew as {today}")

    def _judge_targets(self, life: Life) -> None:
        for symbol, target in self._seen.record.targets.items():
            pursued = life.bot.execution.stage.pursued(symbol)
            if pursued < target.sequence:
                what = f"target {target.sequence} of {symbol} is on record, and {pursued} is pursued"
                raise Violation("memory_survives", what)

    # -- the operator --------------------------------------------------------------------------------------------

    def on_halt(self, life: Life) -> None:
        """Note that the operator has halted."""
        self._seen.halted_s, self._seen.resumed_s = self._seen.now_s(), None
        if level_of(life.context.trading_state.current) is not TradingLevel.HALTED:
            raise Violation("halt_is_kept", "halted, and trading goes on")

    def on_resume(self) -> None:
        """Note that the operator lifts the halt."""
        self._seen.halted_s, self._seen.resumed_s = None, self._seen.now_s()

    def judge_halt(self, life: Life) -> None:
        """Judge whether the operator's word is carried out, some time after it."""
        seen, now = self._seen, self._seen.now_s()
        holds = life.context.trading_state.current.holds(OPERATOR, HALT)
        if seen.resumed_s is not None and now - seen.resumed_s > RESUMED_S_MAX and holds:
            raise Violation("halt_is_kept", f"resumed {now - seen.resumed_s:g} s ago, and still halted")
        if seen.halted_s is None or seen.ready_s is None:
            return
        if not holds:
            raise Violation("halt_is_kept", "the halt is gone, and the operator has not lifted it")
        if now - max(seen.halted_s, seen.ready_s) > HALTED_S_MAX:
            growing = [r.order.client_order_id for r in seen.resting_orders() if not r.order.reduce_only]
            if growing:
                raise Violation("halt_is_kept", f"{', '.join(growing)} can grow a position, long after the halt")

    # -- health and ends -----------------------------------------------------------------------------------------

    def on_health(self, life: Life, report: HealthReport, *, pump_runs: bool) -> None:
        """Judge what the bot says of itself."""
        if report.ready and (life.journal.failure is not None or not pump_runs):
            raise Violation("health_is_true", f"ready, store: {life.journal.failure}, pump runs: {pump_runs}")
        if report.alive and not pump_runs:
            raise Violation("health_is_true", "alive, and nothing takes events in any more")

    def on_end_by_itself(self, request: StopRequest, *, planned: bool) -> None:
        """Judge a bot that ends without being asked to."""
        if not planned:
            raise Violation("bot_stays_up", f"it ends by itself: {request.reason}")
        if request.exit_code is ExitCode.CLEAN:
            raise Violation(
                "exit_code_is_true", f"it ended by itself ({request.reason}), and its code says all is well"
            )

    def before_stop(self) -> None:
        """Note what is held and protected when a stop begins."""
        self._sizes_before = {
            position.symbol: position.contracts
            for position in self._seen.venue.positions
            if self._positions.stops_of(position.symbol)
        }

    def on_stop(self, life: Life, errors: list[Exception], *, at_peace: bool) -> None:
        """Judge what a stop has left at the venue, and whether it says so."""
        policy = self._seen.settings.execution.stop_policy
        if errors and at_peace:
            raise Violation("stop_leaves_nothing", f"nothing was wrong, and the stop was not clean: {errors}")
        if errors:
            return
        if life.journal.failure is not None:
            raise Violation("stop_leaves_nothing", "its end is not on record, and the stop was said to be clean")
        if policy == "keep":
            return
        left = [r.order.client_order_id for r in self._seen.resting_orders() if not r.order.is_protective]
        if left:
            raise Violation("stop_leaves_nothing", f"{', '.join(left)} work on, and the stop was said to be clean")
        if policy == "flatten":
            return
        for position in self._seen.venue.positions:
            before = self._sizes_before.get(position.symbol)
            if before == position.contracts and not self._positions.stops_of(position.symbol):
                raise Violation("stop_leaves_nothing", f"{before} {position.symbol} was protected, and is left bare")

    def held_back(self, life: Life) -> list[str]:
        """Return what holds trading back although nothing is wrong any more."""
        if life.journal.failure is not None:
            return []
        return [
            f"{reason.owner}:{reason.code} ({reason.detail})"
            for reason in life.context.trading_state.current.reasons
            if reason.owner not in EXCUSED
        ]


def _guards(payload: bytes | None) -> Mapping[str, Any]:
    """Return what the guards remember, by their names."""
    found: Mapping[str, Any] = {} if payload is None else msgspec.json.decode(payload)
    guards: Mapping[str, Any] = found.get("guards", {})
    return guards
