"""What is done with orders and positions before the bot ends, and what is still there when it must end."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from app.coordinators.growth_canceller import words_of
from app.domain.money import plain
from app.domain.order import CONFIRMED
from app.execution import AccountBooks, SendPoint

KEEP, FLATTEN = "keep", "flatten"
LOOK_EVERY_S = 0.1
"""Wall time between looks at what a stop waits for."""


class LeftAtExchange(Exception):
    """The time to stop is over, and the exchange has not confirmed everything."""

    def __init__(self, left: list[str]) -> None:
        super().__init__(
            f"left at the exchange: {'; '.join(left)}: look at them there, or start again: the next start takes them up"
        )


class StopPolicy:
    """Cancels what works, keeps it, or closes every position, and waits until the exchange confirms."""

    def __init__(
        self,
        policy: str,
        books: AccountBooks,
        send_point: SendPoint,
        flatten: Callable[[str], None],
        unsafe: Callable[[], dict[str, str]],
        progress: asyncio.Event,
    ) -> None:
        self._policy = policy
        self._books = books
        self._tracker = books.tracker
        self._send_point = send_point
        self._flatten = flatten
        self._unsafe = unsafe
        self._progress = progress
        self._began = False

    async def work_off(self) -> None:
        """Return once nothing is left that the policy does not want, no cancel is under way, and protection rests.

        A stop-loss that still waited for the store would never leave, and the position would be bare for as long as
        the bot is down.
        """
        self._began = True
        why = f"stop policy {self._policy}"
        for tracked in self._tracker.all_working() if self._policy != KEEP else ():
            if self._policy == FLATTEN or not tracked.order.is_protective:
                self._send_point.cancel(tracked, why)
        if self._policy == FLATTEN:
            self._flatten(why)
        while self.left_over() or self.unconfirmed():
            self._progress.clear()
            # Bounded: that an order is withdrawn, because the store has it only now, is no fact of the account.
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._progress.wait()

    def check(self) -> None:
        """Raise if the work had to be given up.

        Raises:
            LeftAtExchange: It had, and this is what is left.
        """
        left = dict.fromkeys([*self.left_over(), *self.unconfirmed()]) if self._began else {}
        if left:
            raise LeftAtExchange(list(left))

    def left_over(self) -> list[str]:
        """Return what the policy does not want and is still there, for people. No order closes less than a lot."""
        if self._policy == KEEP:
            return []
        left = [
            words_of(item)
            for item in self._tracker.all_working()
            if self._policy == FLATTEN or not item.order.is_protective
        ]
        if self._policy == FLATTEN:
            books, told = self._books, self._unsafe()
            held = [position for position in books.portfolio.positions if books.tradable(position.symbol)]
            left += [told.get(p.symbol, f"position {plain(p.contracts)} {p.symbol}") for p in held]
        return left

    def unconfirmed(self) -> list[str]:
        """Return what nobody would learn the end of any more, for people.

        Cancels that are under way, protective orders that are on their way to the exchange, and positions that are not
        safe to leave alone.
        """
        return [*self._unsafe().values()] + [
            words_of(item)
            for item in self._tracker.all_working()
            if item.cancel_requested or (item.order.is_protective and item.status not in CONFIRMED)
        ]
