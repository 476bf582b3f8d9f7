"""Guards of what was lost: in a day, from the peak, in a row, and to funding. Days are UTC."""

from datetime import UTC, datetime
from decimal import Decimal

from app.domain.events import Fill, FundingPaid, Severity
from app.domain.ledger import Account, LedgerEntry
from app.domain.market import SECOND_NS
from app.domain.money import ZERO, brief, percent, plain
from app.domain.records import DayClosed
from app.ports.books import Books
from app.risk.guards import DAY_NS, Breach, part_of
from app.risk.leeway import FOREVER_NS, NOT_CALM, Leeway

_FEES = Account.FEES
_REALIZED = Account.REALIZED
CLOSED_DAYS_KEPT_MAX = 1000
"""Days waiting to be read; they are read with every event."""


class DailyLoss:
    """Loss since 00:00 UTC: realized and unrealized, fees and funding in. It ends with the day, not with a restart."""

    name = "daily_loss"

    def __init__(self, ratio_max: Decimal | None) -> None:
        self._ratio_max = ratio_max
        self._day: int | None = None
        self._start = ZERO
        self._floor: Decimal | None = None
        self._equity = ZERO
        self.closed: list[DayClosed] = []
        """The days that ended and have not been read yet."""

    def look(self, books: Books, equity: Decimal, now_ns: int) -> Breach | None:
        """Compare the equity with the day's floor."""
        del books
        day = now_ns // DAY_NS
        if day != self._day:
            self._begin(day, equity, now_ns)
        self._equity = equity
        floor = self._floor
        if floor is None or self._ratio_max is None or equity >= floor:
            return None
        limit = f"{plain(self._start - floor)} ({percent(self._ratio_max)})"
        return Breach(Severity.HALTED, f"{plain(self._start - equity)} lost today", limit)

    def calm_until(self, leeway: Leeway, books: Books) -> int:
        """Until the day ends, if the floor is out of reach."""
        del books
        if self._day is None or (self._floor is not None and leeway.equity_low < self._floor):
            return NOT_CALM
        return (self._day + 1) * DAY_NS

    def note(self, equity: Decimal) -> None:
        """Take notice of the equity before something changes it: a day ends with the last one."""
        self._equity = equity

    def closed_days(self) -> list[DayClosed]:
        """Return the days that ended since the last call."""
        closed, self.closed = self.closed, []
        return closed

    def figure(self) -> str:
        """Today's change of equity, and the limit."""
        change = self._equity - self._start
        limit = "no limit" if self._floor is None else f"limit {brief(self._start - self._floor)}"
        part = "" if self._ratio_max is None else f" ({percent(self._ratio_max)})"
        return f"{'+' if change > 0 else ''}{brief(change)} today, {limit}{part}"

    def nearness(self) -> float:
        """Today's loss as a part of the limit."""
        limit = None if self._floor is None else self._start - self._floor
        return part_of(limit, self._start - self._equity)

    def snapshot(self) -> dict[str, str]:
        """The day, the equity that it began with, and the latest: where the next day begins."""
        if self._day is None:
            return {}
        return {"day": str(self._day), "start": str(self._start), "equity": str(self._equity)}

    def restore(self, memory: dict[str, str]) -> None:
        """Go on within the same day."""
        if memory:
            self._day, self._start = int(memory["day"]), Decimal(memory["start"])
            self._equity = Decimal(memory["equity"])
            self._set_floor()

    def _begin(self, day: int, equity: Decimal, now_ns: int) -> None:
        if self._day is not None and len(self.closed) < CLOSED_DAYS_KEPT_MAX:
            date = datetime.fromtimestamp(self._day * 86_400, UTC).date().isoformat()
            # The last equity seen in the old day is where the new one begins.
            self.closed.append(DayClosed(day=date, equity_start=self._start, equity_end=self._equity, time_ns=now_ns))
            self._start = self._equity
        else:
            self._start = equity
        self._day = day
        self._set_floor()

    def _set_floor(self) -> None:
        self._floor = None if self._ratio_max is None else self._start * (1 - self._ratio_max)


class Drawdown:
    """Loss from the highest equity. Latched: only the operator lifts it."""

    name = "drawdown"

    def __init__(self, ratio_max: Decimal | None) -> None:
        self._ratio_max = ratio_max
        self._peak: Decimal | None = None
        self._floor: Decimal | None = None
        self._equity = ZERO

    def look(self, books: Books, equity: Decimal, now_ns: int) -> Breach | None:
        """Raise the peak, or compare the equity with its floor."""
        del books, now_ns
        self._equity = equity
        if self._peak is None or equity > self._peak:
            self._set_peak(equity)
            return None
        floor = self._floor
        if floor is None or equity >= floor:
            return None
        return Breach(
            Severity.HALTED,
            f"{plain(self._peak - equity)} below the peak of {plain(self._peak)}",
            f"{plain(self._peak - floor)}",
            latched=True,
        )

    def calm_until(self, leeway: Leeway, books: Books) -> int:
        """For ever, if neither a new peak nor the floor is within reach."""
        del books
        if self._peak is None or leeway.equity_high > self._peak:
            return NOT_CALM
        return FOREVER_NS if self._floor is None or leeway.equity_low >= self._floor else NOT_CALM

    def figure(self) -> str:
        """Distance from the peak, and the limit."""
        below = ZERO if self._peak is None else self._peak - self._equity
        limit = "none" if self._peak is None or self._floor is None else brief(self._peak - self._floor)
        return f"{brief(below)} below the peak, limit {limit}"

    def nearness(self) -> float:
        """Distance from the peak as a part of the limit."""
        if self._peak is None or self._floor is None:
            return 0.0
        return part_of(self._peak - self._floor, self._peak - self._equity)

    def snapshot(self) -> dict[str, str]:
        """The peak."""
        return {} if self._peak is None else {"peak": str(self._peak)}

    def restore(self, memory: dict[str, str]) -> None:
        """Go on below the same peak."""
        if memory:
            self._set_peak(Decimal(memory["peak"]))
            self._equity = Decimal(memory["peak"])

    def _set_peak(self, equity: Decimal) -> None:
        self._peak = equity
        self._floor = None if self._ratio_max is None else equity * (1 - self._ratio_max)


class ConsecutiveLosses:
    """Closing orders that lost, one after another. Trading rests for a while, then the count begins anew."""

    name = "consecutive_losses"

    def __init__(self, losses_max: int | None, cooldown_s: float) -> None:
        self._losses_max = losses_max
        self._cooldown_ns = int(cooldown_s * SECOND_NS)
        self._losses = 0
        self._losses_before = 0
        self._order_id: str | None = None
        self._order_result = ZERO
        self._rests_until_ns: int | None = None

    def look(self, books: Books, equity: Decimal, now_ns: int) -> Breach | None:
        """Say whether trading rests."""
        del books, equity
        until = self._rests_until_ns
        if until is None:
            return None
        if now_ns >= until:
            self._rests_until_ns, self._losses = None, 0
            return None
        return Breach(Severity.REDUCE_ONLY, f"{self._losses} losses in a row", str(self._losses_max))

    def calm_until(self, leeway: Leeway, books: Books) -> int:
        """For ever: only fills add to the count."""
        del leeway, books
        return FOREVER_NS if self._rests_until_ns is None else NOT_CALM

    def on_fill(self, fill: Fill, entry: LedgerEntry, books: Books) -> None:
        """Count a closing order: a loss net of its fees adds one, a profit starts anew. Opening fills do not count.

        An order that closes in several fills counts once, by their sum.
        """
        del books
        realized = entry.amount(_REALIZED)
        if not realized:
            return
        if fill.client_order_id is None or fill.client_order_id != self._order_id:
            self._order_id, self._order_result, self._losses_before = fill.client_order_id, ZERO, self._losses
        self._order_result += -realized - entry.amount(_FEES)
        self._losses = self._losses_before + 1 if self._order_result < 0 else 0
        if self._losses_max is not None and self._losses >= self._losses_max and self._rests_until_ns is None:
            self._rests_until_ns = fill.time_ns + self._cooldown_ns

    def figure(self) -> str:
        """The count and the limit."""
        return f"{self._losses} in a row, limit {self._losses_max or 'none'}"

    def nearness(self) -> float:
        """The count as a part of the limit."""
        return self._losses / self._losses_max if self._losses_max else 0.0

    def snapshot(self) -> dict[str, str]:
        """The count and the end of the rest."""
        until = "" if self._rests_until_ns is None else str(self._rests_until_ns)
        return {"losses": str(self._losses), "until": until}

    def restore(self, memory: dict[str, str]) -> None:
        """Go on counting, or resting."""
        if memory:
            self._losses = int(memory["losses"])
            self._rests_until_ns = int(memory["until"]) if memory["until"] else None


class FundingCost:
    """Funding paid in a UTC day, net of what was received."""

    name = "funding_cost"

    def __init__(self, ratio_max: Decimal | None) -> None:
        self._ratio_max = ratio_max
        self._day: int | None = None
        self._paid = ZERO
        self._equity = ZERO

    def look(self, books: Books, equity: Decimal, now_ns: int) -> Breach | None:
        """Compare what was paid today with the equity."""
        del books
        self._equity = equity
        day = now_ns // DAY_NS
        if day != self._day:
            self._day, self._paid = day, ZERO
        if self._ratio_max is None or self._paid <= ZERO or self._paid <= self._ratio_max * equity:
            return None
        return Breach(Severity.REDUCE_ONLY, f"{plain(self._paid)} paid today", f"{percent(self._ratio_max)} of equity")

    def calm_until(self, leeway: Leeway, books: Books) -> int:
        """Until the day ends, if what was paid is within the limit of the least equity."""
        del books
        limited = self._ratio_max is not None and self._paid > 0
        if self._day is None or (limited and self._paid > (self._ratio_max or ZERO) * leeway.equity_low):
            return NOT_CALM
        return (self._day + 1) * DAY_NS

    def on_funding(self, paid: FundingPaid, books: Books) -> None:
        """Add a settlement."""
        del books
        day = paid.time_ns // DAY_NS
        if self._day is not None and day < self._day:
            # Told late, after a reconnect: it is no cost of today.
            return
        self._paid = (self._paid if day == self._day else ZERO) - paid.amount
        self._day = day

    def figure(self) -> str:
        """Paid today, and the limit."""
        limit = "none" if self._ratio_max is None else f"{percent(self._ratio_max)} of equity"
        return f"{brief(self._paid)} paid today, limit {limit}"

    def nearness(self) -> float:
        """What was paid today as a part of the limit."""
        return part_of(None if self._ratio_max is None else self._ratio_max * self._equity, self._paid)

    def snapshot(self) -> dict[str, str]:
        """The day and what it cost."""
        return {} if self._day is None else {"day": str(self._day), "paid": str(self._paid)}

    def restore(self, memory: dict[str, str]) -> None:
        """Go on within the same day."""
        if memory:
            self._day, self._paid = int(memory["day"]), Decimal(memory["paid"])
