"""What the exchange tells of the account unasked, held against the books. Pure.

Nothing is booked of it, and nothing concluded: it may be late, or told twice, and what came after it may be missing. It
is a reason to ask, once, and only after it and the books have differed in the same way for a while.
"""

from collections.abc import Callable, Collection
from decimal import Decimal

import msgspec

from app.domain.events import AccountSeen
from app.domain.market import SECOND_NS

QUIET_NS = 3 * SECOND_NS
"""How long a difference must stay what it is: fills come by another way, and are asked for where they are late."""
BALANCE = ""
"""Stands for the balance where else a symbol stands."""


class _Told(msgspec.Struct, frozen=True):
    time_ns: int
    value: Decimal


class _Difference(msgspec.Struct):
    theirs: Decimal
    ours: Decimal
    since_ns: int
    is_asked: bool = False


class Overheard:
    """The latest that was told of the balance and of each position in ``symbols``."""

    def __init__(self, symbols: Collection[str]) -> None:
        self._symbols = symbols
        self._told: dict[str, _Told] = {}
        self._booked_ns: dict[str, int] = {}
        self._differences: dict[str, _Difference] = {}

    def hear(self, seen: AccountSeen) -> None:
        """Take in what was told; what is older than what is known says nothing."""
        for symbol, contracts in seen.contracts.items():
            if symbol in self._symbols:
                self._note(symbol, _Told(seen.time_ns, contracts))
        if seen.balance is not None:
            self._note(BALANCE, _Told(seen.time_ns, seen.balance))

    def book(self, symbol: str, time_ns: int) -> None:
        """Note that something which happened to ``symbol`` at ``time_ns`` is in the books."""
        for what in (symbol, BALANCE):
            if time_ns > self._booked_ns.get(what, 0):
                self._booked_ns[what] = time_ns

    def is_doubtful(self, ours: Callable[[str], Decimal], now_ns: int) -> bool:
        """Whether there is a difference to ask about that was not asked about yet.

        What is not of a later moment than the last that is booked is explained by it: of several fills in one
        millisecond, it may be that before the last.

        Args:
            ours: Returns what the books hold of a symbol, or of ``BALANCE``.
            now_ns: The bot's clock.
        """
        found = False
        for what, told in self._told.items():
            held = ours(what)
            if told.value == held or told.time_ns <= self._booked_ns.get(what, 0):
                self._differences.pop(what, None)
                continue
            difference = self._differences.get(what)
            if difference is None or (difference.theirs, difference.ours) != (told.value, held):
                self._differences[what] = _Difference(told.value, held, now_ns)
            elif not difference.is_asked and now_ns - difference.since_ns >= QUIET_NS:
                difference.is_asked = found = True
        return found

    def _note(self, what: str, told: _Told) -> None:
        known = self._told.get(what)
        if known is None or told.time_ns >= known.time_ns:
            self._told[what] = told
