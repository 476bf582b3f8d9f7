"""The risk engine: one for every mode. Its checks and guards are the lists below, in the order in which they run."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal

import msgspec

from app.domain.denial import Denial
from app.domain.events import Fill, FundingPaid, ReasonCleared, ReasonRaised, Severity
from app.domain.ledger import LedgerEntry
from app.domain.money import ZERO
from app.domain.order import Order
from app.domain.reasons import RISK
from app.domain.records import DayClosed
from app.ports.books import Books
from app.risk import account_checks, order_checks
from app.risk.case import OrderCase
from app.risk.guards import Breach, Guard, WatchesFills, WatchesFunding
from app.risk.leeway import FOREVER_NS, Leeway, leeway_around
from app.risk.loss_guards import ConsecutiveLosses, DailyLoss, Drawdown, FundingCost
from app.risk.market_guards import LiquidationBuffer, MarginRatio, MarkStaleness, VolatilityBreaker
from app.settings.models import RiskSettings

WATCH_FAILED = "watch_failed"
ALARMED = -1
"""No revision of the books."""
LOOKS_BETWEEN_TRIES = 16
"""While guards have no leeway (a new peak at every mark, say), working it out must not cost more than looking does."""

Check = Callable[[OrderCase, RiskSettings], Denial | None]

GROWTH_CHECKS: tuple[Check, ...] = (
    order_checks.trading_state,
    order_checks.well_formed,
    order_checks.data_age,
    order_checks.price_collar,
    order_checks.order_size,
    order_checks.open_orders,
    order_checks.message_rate,
    order_checks.repeated_order,
    order_checks.self_trade,
    order_checks.expected_slippage,
    account_checks.position_size,
    account_checks.gross_exposure,
    account_checks.net_exposure,
    account_checks.leverage,
    account_checks.margin,
    account_checks.liquidation_distance,
)
REDUCING_CHECKS: tuple[Check, ...] = (order_checks.well_formed,)
"""An exit is held up by nothing but its own form: a malformed order would be refused by the exchange anyway."""


class RiskEngine:
    """Implements ``Risk``."""

    def __init__(self, settings: RiskSettings) -> None:
        self._settings = settings
        self._days = DailyLoss(settings.daily_loss_ratio_max)
        losses = ConsecutiveLosses(settings.consecutive_losses_max, settings.consecutive_losses_cooldown_s)
        funding = FundingCost(settings.funding_cost_ratio_max)
        self._staleness = MarkStaleness(settings.mark_stale_s_max)
        self._volatility = VolatilityBreaker(settings.volatility_ratio_max, settings.volatility_window)
        self._guards: tuple[Guard, ...] = (
            self._days,
            Drawdown(settings.drawdown_ratio_max),
            losses,
            LiquidationBuffer(settings.liquidation_buffer_ratio_min),
            self._staleness,
            self._volatility,
            MarginRatio(settings.margin_ratio_max),
            funding,
        )
        self._fill_watchers: tuple[WatchesFills, ...] = (losses,)
        self._funding_watchers: tuple[WatchesFunding, ...] = (funding,)
        self._looks = tuple((guard.name, guard.look) for guard in self._guards)
        self._calm = tuple(guard.calm_until for guard in self._guards)
        self._held: dict[str, Severity] = {}
        self._failure: Breach | None = None
        self._books: Books | None = None
        self._leeway: Leeway | None = None
        self._calm_until_ns = 0
        self._next_ns = 0
        """When the leeway ends, or the oldest mark may have grown too old: before, a mark need only be in its room."""
        self._revision = ALARMED
        """Of the books with which the guards have found nothing wrong."""
        self._looks_to_skip = 0
        self.has_closed_days = False

    def check(self, order: Order, books: Books) -> Denial | None:
        """Return why ``order`` must not be sent, or None: the first rule of the list that it breaks."""
        settings, case = self._settings, OrderCase(order, books)
        for check in REDUCING_CHECKS if order.reduce_only else GROWTH_CHECKS:
            denial = check(case, settings)
            if denial is not None:
                return denial
        return None

    def look(self, books: Books) -> Sequence[ReasonRaised | ReasonCleared]:
        """Evaluate all guards; return the changes of reasons. A guard that fails restricts trading by itself."""
        equity, now_ns = books.portfolio.equity, books.clock.now_ns
        self._books, self._leeway = books, None
        changes: list[ReasonRaised | ReasonCleared] = []
        held = self._held
        for name, look in self._looks:
            try:
                breach = look(books, equity, now_ns)
            except Exception as error:  # noqa: BLE001 - one guard that fails must not stop the others
                breach = Breach(Severity.REDUCE_ONLY, f"guard failed: {type(error).__name__}: {error}", "a verdict")
            if breach is not None or (held and name in held):
                self._compare(name, breach, now_ns, changes)
        self.has_closed_days = bool(self._days.closed)
        if self._failure is not None:
            # It missed something that it must know: it cannot be trusted again in this run.
            self._compare(WATCH_FAILED, self._failure, now_ns, changes)
        revision = ALARMED if held else books.portfolio.revision
        if revision != self._revision:
            self._revision, self._looks_to_skip = revision, 0
        return changes

    def on_mark(self, symbol: str, price: Decimal, time_ns: int, books: Books) -> bool:
        """Take notice of a mark before it is set; return whether the guards must look once it is."""
        try:
            wild = self._volatility.take(symbol, price, time_ns)
        except Exception as error:  # noqa: BLE001 - as in look
            self._note_failure(error)
            return True
        if books.portfolio.revision != self._revision:
            return True
        # Worked out here, before the mark is set, and not after a look: one fill is often followed by another.
        leeway = self._leeway or self._find_leeway(books)
        if leeway is None:
            return True
        if time_ns >= self._next_ns and self._is_over(time_ns, books):
            return True
        room = leeway.rooms.get(symbol)
        return wild or (room is not None and not room.low <= price <= room.high)

    def on_timer(self, now_ns: int, books: Books) -> bool:
        """Take notice of the time; return whether the guards must look."""
        return self._leeway is None or books.portfolio.revision != self._revision or self._is_over(now_ns, books)

    def on_fill(self, fill: Fill, entry: LedgerEntry, books: Books) -> None:
        """Take notice of an applied fill."""
        for guard in self._fill_watchers:
            try:
                guard.on_fill(fill, entry, books)
            except Exception as error:  # noqa: BLE001 - as in look
                self._note_failure(error)

    def on_funding(self, paid: FundingPaid, books: Books) -> None:
        """Take notice of an applied funding settlement."""
        for guard in self._funding_watchers:
            try:
                guard.on_funding(paid, books)
            except Exception as error:  # noqa: BLE001 - as in look
                self._note_failure(error)

    def keep_raised(self, codes: Collection[str]) -> None:
        """Forget what was raised and is not among ``codes``: while its cause lasts, it is raised again."""
        for code in self._held.keys() - set(codes):
            del self._held[code]

    def closed_days(self) -> Sequence[DayClosed]:
        """Return the days that ended since the last call."""
        self.has_closed_days = False
        return self._days.closed_days()

    def figures(self) -> Mapping[str, str]:
        """Return the value and limit of each guard, by its name, as text for people."""
        self._look_now()
        return {guard.name: guard.figure() for guard in self._guards}

    def nearness(self) -> Mapping[str, float]:
        """Return how much of its limit each guard has used up, by its name: 1 at the limit."""
        self._look_now()
        return {guard.name: guard.nearness() for guard in self._guards}

    def _look_now(self) -> None:
        """Have the guards see the latest marks: within their leeway they have not. Looking twice changes nothing."""
        books = self._books
        if books is not None:
            for _, look in self._looks:
                with suppress(Exception):
                    look(books, books.portfolio.equity, books.clock.now_ns)

    def snapshot(self) -> bytes:
        """Return the guards' memory, and which reasons are held."""
        if self._books is not None:
            # The latest equity, not that of the latest look: when somebody looked last must leave no trace.
            self._days.note(self._books.portfolio.equity)
        memory = {guard.name: guard.snapshot() for guard in self._guards}
        return msgspec.json.encode({"guards": memory, "held": self._held})

    def restore(self, payload: bytes) -> None:
        """Take over what ``snapshot`` returned in an earlier run; what cannot be read restricts trading by itself."""
        self._leeway = None
        try:
            saved = msgspec.json.decode(payload, type=_Memory)
            for guard in self._guards:
                guard.restore(saved.guards.get(guard.name, {}))
            self._held = saved.held
        except Exception as error:  # noqa: BLE001 - as in look
            self._note_failure(error)

    def _is_over(self, now_ns: int, books: Books) -> bool:
        """Whether the time of the leeway is over, or a mark has grown too old."""
        if now_ns >= self._calm_until_ns:
            self._days.note(books.portfolio.equity)
            return True
        stale = self._staleness
        if now_ns > stale.due_ns and stale.look(books, ZERO, now_ns) is not None:
            return True
        self._next_ns = min(self._calm_until_ns, stale.due_ns + 1)
        return False

    def _find_leeway(self, books: Books) -> Leeway | None:
        """Ask the guards, which have found nothing wrong with the books as they are, how long they need not look."""
        if self._looks_to_skip:
            self._looks_to_skip -= 1
            return None
        leeway = leeway_around(books)
        until_ns = FOREVER_NS
        for calm_until in self._calm:
            at_ns = calm_until(leeway, books)
            if at_ns <= books.clock.now_ns:
                self._looks_to_skip = LOOKS_BETWEEN_TRIES
                return None
            until_ns = min(until_ns, at_ns)
        self._leeway, self._calm_until_ns = leeway, until_ns
        self._next_ns = min(until_ns, self._staleness.due_ns + 1)
        return leeway

    def _note_failure(self, error: Exception) -> None:
        what = f"a guard failed to take something in: {type(error).__name__}: {error}"
        self._failure = Breach(Severity.REDUCE_ONLY, what, "none may")

    def _compare(
        self, name: str, breach: Breach | None, now_ns: int, changes: list[ReasonRaised | ReasonCleared]
    ) -> None:
        if breach is None:
            del self._held[name]
            changes.append(ReasonCleared(time_ns=now_ns, owner=RISK, code=name))
        elif self._held.get(name) is not breach.severity:
            self._held[name] = breach.severity
            changes.append(
                ReasonRaised(
                    time_ns=now_ns,
                    owner=RISK,
                    code=name,
                    severity=breach.severity,
                    detail=f"{breach.value}, limit {breach.limit}",
                    latched=breach.latched,
                )
            )


class _Memory(msgspec.Struct):
    guards: dict[str, dict[str, str]]
    held: dict[str, Severity]
