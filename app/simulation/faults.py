"""What can go wrong, and when it does in a simulated hour: a seed's plan."""

from random import Random

import msgspec

from app.domain.term import Term

HOUR_S = 3600.0
QUIET_BEFORE_S = 60.0
"""Nothing goes wrong before the bot has begun to trade."""
FAULTS_MIN, FAULTS_MAX = 4, 10
CRASHES = 0.4
"""Share of the seeds in which the process crashes, for certain; in the others it may by chance."""


class FaultKind(Term):
    """Names are what a trace shows."""

    # Submitting an order.
    ORDER_REJECTED = "order_rejected"
    ORDER_EXECUTED_NO_ANSWER = "order_executed_no_answer"
    ORDER_NEVER_ARRIVED = "order_never_arrived"
    ORDER_ARRIVES_LATE = "order_arrives_late"
    ORDER_EXECUTED_THEN_RESET = "order_executed_then_reset"
    ORDER_ANSWER_UNREADABLE = "order_answer_unreadable"
    ORDER_RATE_LIMITED = "order_rate_limited"
    # Canceling one.
    CANCEL_REFUSED = "cancel_refused"
    CANCEL_LOST = "cancel_lost"
    # The event stream.
    EVENT_TWICE = "event_twice"
    EVENT_LATE = "event_late"
    EVENT_MISSING = "event_missing"
    STREAM_SILENT = "stream_silent"
    STREAM_RESET = "stream_reset"
    STREAM_BREAKS = "stream_breaks"
    BOOK_STALE = "book_stale"
    # Reading the account.
    QUERY_FAILS = "query_fails"
    QUERY_SLOW = "query_slow"
    # The venue and its market.
    CLOCK_SKEW = "clock_skew"
    PARTIAL_FILLS = "partial_fills"
    PRICE_SHOCK = "price_shock"
    STRANGE_FILL = "strange_fill"
    # The store.
    STORE_SLOW = "store_slow"
    STORE_FULL = "store_full"
    STORE_LOCKED = "store_locked"
    # Parts of the bot.
    STRATEGY_RAISES = "strategy_raises"
    TASK_DIES = "task_dies"
    TASK_HANGS = "task_hangs"
    # The process and its operator.
    CRASH = "crash"
    CRASH_AT_SUBMIT = "crash_at_submit"
    CRASH_AFTER_SUBMIT = "crash_after_submit"
    CRASH_AT_APPEND = "crash_at_append"
    CRASH_AFTER_COMMIT = "crash_after_commit"
    CRASH_AT_FILL = "crash_at_fill"
    STOP = "stop"
    HALT = "halt"
    FLATTEN = "flatten"


CERTAIN_KINDS = (
    FaultKind.CLOCK_SKEW,
    FaultKind.PARTIAL_FILLS,
    FaultKind.PRICE_SHOCK,
    FaultKind.STRANGE_FILL,
    FaultKind.STORE_SLOW,
)
"""Kinds that come to pass whatever the bot does at that time."""
CERTAIN_MIN = 3
TWOFOLD = 0.1
"""Share of the seeds in which trading is restricted while orders wait for a slow store: by chance that is rare."""
BOT_TRAILS_EVERY = 8
"""In one seed of so many the venue holds no trailing stops, and the bot moves ordinary ones; with ccxt in all."""
SLOW_S = 60.0
CRASH_KINDS = tuple(kind for kind in FaultKind if kind.startswith("crash"))


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong."""

    kind: FaultKind
    at_s: float
    """Seconds of virtual time since the world began."""
    seconds: float
    """How long it lasts, where it lasts."""
    number: int
    """What else is drawn for it: a size, a choice."""


class Plan(msgspec.Struct, frozen=True):
    """Everything that a run follows from: the same plan gives the same run, event by event."""

    seed: int
    faults: tuple[Fault, ...]
    holds_trailing_stops: bool = True
    """Whether the venue does."""


def plan_of(seed: int) -> Plan:
    """Return what goes wrong in the hour of a seed, in the order of time."""
    random = Random(f"plan:{seed}")  # noqa: S311 - a plan, no secret
    kinds = random.choices(tuple(FaultKind), k=random.randint(FAULTS_MIN, FAULTS_MAX))
    if random.random() < CRASHES:
        kinds.append(random.choice(CRASH_KINDS))
    while sum(kind in CERTAIN_KINDS for kind in kinds) < CERTAIN_MIN:
        kinds.append(random.choice(CERTAIN_KINDS))
    faults = [
        Fault(
            kind,
            round(random.uniform(QUIET_BEFORE_S, HOUR_S - QUIET_BEFORE_S), 3),
            round(random.choice((0.5, 3.0, 20.0, 90.0)) * random.uniform(0.5, 1.5), 3),
            random.randrange(1_000_000),
        )
        for kind in kinds
    ]
    faults += _twofold(Random(f"twofold:{seed}"))  # noqa: S311 - as above
    holds = seed % BOT_TRAILS_EVERY != 0
    return Plan(seed, tuple(sorted(faults, key=lambda fault: fault.at_s)), holds_trailing_stops=holds)


def _twofold(random: Random) -> list[Fault]:
    """Return two faults of which the second meets what the first holds up; in most seeds none."""
    if random.random() >= TWOFOLD:
        return []
    at_s = round(random.uniform(QUIET_BEFORE_S, HOUR_S - QUIET_BEFORE_S - SLOW_S), 3)
    kind = random.choice((FaultKind.HALT, FaultKind.STRATEGY_RAISES))
    return [
        Fault(FaultKind.STORE_SLOW, at_s, SLOW_S, 0),
        Fault(kind, round(at_s + SLOW_S / 2, 3), 1.0, 2 * random.randrange(500_000)),
    ]
