"""Guards of the market and of what stands between us and a liquidation."""

from collections import deque
from decimal import Decimal
from math import log, sqrt

from app.domain.events import Severity
from app.domain.margin import liquidation_price
from app.domain.market import SECOND_NS
from app.domain.money import ZERO, percent, plain
from app.domain.reasons import MARK_STALE
from app.ports.books import Books
from app.risk.guards import Breach, part_of
from app.risk.leeway import FOREVER_NS, NOT_CALM, Leeway

UNSEEN = "no trusted mark of"
"""What the staleness of a mark is told with that has not come yet since the start."""
YEAR_NS = 365 * 86_400 * SECOND_NS


class _WithoutMemory:
    """A guard that judges by the present alone."""

    def snapshot(self) -> dict[str, str]:
        """Nothing."""
        return {}

    def restore(self, memory: dict[str, str]) -> None:
        """Take nothing over."""


class MarkStaleness(_WithoutMemory):
    """The mark of a symbol with a position is fresh."""

    name = MARK_STALE

    def __init__(self, age_s_max: float) -> None:
        self._age_s_max = age_s_max
        self._age_ns_max = int(age_s_max * SECOND_NS)
        self._age_ns: int | None = None
        self.due_ns = NOT_CALM
        """When the oldest mark, as it was at the last look, has grown too old: from then on it must look again."""

    def look(self, books: Books, equity: Decimal, now_ns: int) -> Breach | None:
        """Find the oldest mark. A position whose mark was never seen is as bad as a stale one."""
        del equity
        oldest = now_ns
        for position in books.portfolio.positions:
            at = books.mark_ns(position.symbol)
            if at is None:
                self._age_ns, self.due_ns = None, NOT_CALM
                return Breach(Severity.REDUCE_ONLY, f"{UNSEEN} {position.symbol}", f"{self._age_s_max} s")
            if at < oldest:  # noqa: PLR1730 - min() would cost more than all the rest
                oldest = at
        self._age_ns = age_ns = now_ns - oldest
        self.due_ns = oldest + self._age_ns_max
        if age_ns <= self._age_ns_max:
            return None
        return Breach(Severity.REDUCE_ONLY, f"a mark is {age_ns / SECOND_NS:.1f} s old", f"{self._age_s_max} s")

    def calm_until(self, leeway: Leeway, books: Books) -> int:
        """For ever: ``due_ns`` is watched apart, since a mark makes its symbol fresh again."""
        del leeway, books
        return FOREVER_NS

    def figure(self) -> str:
        """Age of the oldest mark of a position, and the limit."""
        age = "unknown" if self._age_ns is None else f"{self._age_ns / SECOND_NS:.1f} s"
        return f"{age}, limit {self._age_s_max} s"

    def nearness(self) -> float:
        """Age of the oldest mark as a part of the limit."""
        return 0.0 if self._age_ns is None else self._age_ns / self._age_ns_max


class _Window:
    """The latest moves of one symbol's mark."""

    __slots__ = ("at_ns", "moves", "price", "squares", "variance")

    def __init__(self, size: int, at_ns: int, price: float) -> None:
        self.at_ns = at_ns
        self.price = price
        self.moves: deque[tuple[int, float]] = deque(maxlen=size)
        """When each began, and the square of its logarithm."""
        self.squares = 0.0
        """Their sum."""
        self.variance = 0.0
        """Of a year, as a part of the price, squared; 0 until the window is full."""


class VolatilityBreaker(_WithoutMemory):
    """The market is not wild: realized volatility of each symbol's marks, by the time between them, per year."""

    name = "volatility"

    def __init__(self, ratio_max: Decimal | None, window: int) -> None:
        self._ratio_max = None if ratio_max is None else float(ratio_max)
        self._limit = "none" if ratio_max is None else percent(ratio_max)
        self._variance_max = 0.0 if self._ratio_max is None else self._ratio_max**2
        self._size = window
        self._windows: dict[str, _Window] = {}

    def take(self, symbol: str, price: Decimal, at_ns: int) -> bool:
        """Take a mark in; return whether its symbol is too wild. A mark that was taken before counts once."""
        window = self._windows.get(symbol)
        if window is None:
            if self._ratio_max is not None:
                self._windows[symbol] = _Window(self._size, at_ns, float(price))
            return False
        began_ns = window.at_ns
        if at_ns > began_ns:
            # Every bar and every mark comes this way.
            latest, moves, size = float(price), window.moves, self._size
            move = log(latest / window.price)
            window.at_ns, window.price = at_ns, latest
            square = move * move
            squares = window.squares + square
            if len(moves) == size:
                squares -= moves[0][1]
            moves.append((began_ns, square))
            window.squares = squares
            if len(moves) == size:
                window.variance = squares * YEAR_NS / (at_ns - moves[0][0]) if squares > 0.0 else 0.0
        return window.variance > self._variance_max

    def look(self, books: Books, equity: Decimal, now_ns: int) -> Breach | None:
        """Find the wildest symbol whose mark is trusted."""
        del equity, now_ns
        wildest, most = "", self._variance_max
        for symbol, window in self._windows.items():
            if window.variance > most and books.mark_ns(symbol) is not None:
                wildest, most = symbol, window.variance
        if not wildest:
            return None
        return Breach(Severity.REDUCE_ONLY, f"{wildest} moves {100 * sqrt(most):.0f} % a year", self._limit)

    def calm_until(self, leeway: Leeway, books: Books) -> int:
        """For ever: ``take`` is called with every mark."""
        del leeway, books
        return FOREVER_NS

    def figure(self) -> str:
        """The highest volatility, and the limit."""
        highest = self._highest()
        return f"{f'{100 * highest:.0f} %' if highest else 'unknown'} a year, limit {self._limit}"

    def nearness(self) -> float:
        """The highest volatility as a part of the limit."""
        return self._highest() / self._ratio_max if self._ratio_max else 0.0

    def _highest(self) -> float:
        return sqrt(max((window.variance for window in self._windows.values()), default=0.0))


class LiquidationBuffer(_WithoutMemory):
    """Every position's mark is far from its liquidation price."""

    name = "liquidation_buffer"

    def __init__(self, ratio_min: Decimal | None) -> None:
        self._ratio_min = ratio_min
        self._books: Books | None = None

    def look(self, books: Books, equity: Decimal, now_ns: int) -> Breach | None:
        """Find a position whose mark is too near to its liquidation price."""
        del equity, now_ns
        self._books = books
        least, portfolio = self._ratio_min, books.portfolio
        if least is None:
            return None
        for position in portfolio.positions:
            mark, at = portfolio.mark(position.symbol), portfolio.liquidation_price(position.symbol)
            if mark is None or at is None:
                continue
            # |mark - at| / mark < least, without a division at every mark.
            if (mark - at if position.contracts > 0 else at - mark) < least * mark:
                value = f"{position.symbol} at {plain(mark)}, liquidated at {at:.8g}"
                return Breach(Severity.REDUCE_ONLY, value, f"{percent(least)} of the mark")
        return None

    def calm_until(self, leeway: Leeway, books: Books) -> int:
        """For ever, if no position could come too near even with the least collateral."""
        least = self._ratio_min
        if least is None:
            return FOREVER_NS
        for position in books.portfolio.positions:
            room = leeway.rooms[position.symbol]
            collateral = leeway.collateral_low(books, position.symbol)
            at = liquidation_price(books.instruments[position.symbol], position, collateral)
            if at is None:
                continue
            if room.low * (1 - least) < at if position.contracts > 0 else room.high * (1 + least) > at:
                return NOT_CALM
        return FOREVER_NS

    def figure(self) -> str:
        """Distance of the nearest, and the limit."""
        distances = [] if self._books is None else _liquidation_distances(self._books)
        # With little leverage there is no price at which a position would be liquidated.
        none = "unreachable" if self._books is not None and self._books.portfolio.positions else "no position"
        nearest = f"{100 * min(distances):.2f} % of the mark" if distances else none
        return f"{nearest}, limit {'none' if self._ratio_min is None else percent(self._ratio_min)}"

    def nearness(self) -> float:
        """The limit as a part of the distance of the nearest."""
        distances = [] if self._books is None else _liquidation_distances(self._books)
        return part_of(min(distances), self._ratio_min or ZERO) if distances else 0.0


def _liquidation_distances(books: Books) -> list[Decimal]:
    """Return the distance of each position's mark to its liquidation price, as a part of the mark."""
    portfolio, distances = books.portfolio, []
    for position in portfolio.positions:
        mark, at = portfolio.mark(position.symbol), portfolio.liquidation_price(position.symbol)
        if mark is not None and at is not None:
            distances.append(abs(mark - at) / mark)
    return distances


class MarginRatio(_WithoutMemory):
    """Maintenance margin against equity."""

    name = "margin_ratio"

    def __init__(self, ratio_max: Decimal | None) -> None:
        self._ratio_max = ratio_max
        self._maintenance = Decimal(0)
        self._equity = Decimal(0)

    def look(self, books: Books, equity: Decimal, now_ns: int) -> Breach | None:
        """Compare them; an account without equity that holds a position is past any limit."""
        del now_ns
        self._maintenance, self._equity = books.portfolio.maintenance_margin, equity
        if self._ratio_max is None or self._maintenance <= self._ratio_max * equity:
            return None
        return Breach(
            Severity.HALTED, f"{plain(self._maintenance)} on {plain(equity)} equity", percent(self._ratio_max)
        )

    def calm_until(self, leeway: Leeway, books: Books) -> int:
        """For ever, if the largest maintenance margin is within the limit of the least equity."""
        del books
        if self._ratio_max is None or leeway.maintenance <= self._ratio_max * leeway.equity_low:
            return FOREVER_NS
        return NOT_CALM

    def figure(self) -> str:
        """The ratio and the limit."""
        ratio = f"{100 * self._maintenance / self._equity:.2f} % of equity" if self._equity > 0 else "no equity"
        return f"{ratio}, limit {'none' if self._ratio_max is None else percent(self._ratio_max)}"

    def nearness(self) -> float:
        """The ratio as a part of the limit."""
        return part_of(None if self._ratio_max is None else self._ratio_max * self._equity, self._maintenance)
