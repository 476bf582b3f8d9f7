"""Exact integer arithmetic of the kernel. Compiled.

Nothing here overflows as long as both factors and the divisor are within the bounds that ``scaling`` has checked.
"""

from numba import njit

from app.backtest.compiled.records import MILLION, NONE


@njit(cache=True, inline="always")
def sign(value: int) -> int:
    """Return -1, 0 or 1."""
    return 1 if value > 0 else -1 if value < 0 else 0


@njit(cache=True)
def half_even(dividend: int, divisor: int) -> int:
    """Return the quotient rounded half-even; ``divisor`` is positive."""
    quotient, rest = dividend // divisor, dividend % divisor
    twice = 2 * rest
    if twice > divisor or (twice == divisor and quotient % 2 != 0):
        quotient += 1
    return quotient


@njit(cache=True)
def scaled(amount: int, factor: int, divisor: int) -> int:
    """Return ``amount * factor / divisor`` rounded half-even; only ``divisor * factor`` must fit, not the product.

    >>> scaled(10**18 + 5, 1, 10)
    100000000000000000
    """
    rest = (amount % divisor) * factor
    quotient, rest = (amount // divisor) * factor + rest // divisor, rest % divisor
    twice = 2 * rest
    if twice > divisor or (twice == divisor and quotient % 2 != 0):
        quotient += 1
    return quotient


@njit(cache=True, inline="always")
def at_most(amount: int, ratio: int) -> int:
    """Return a bound that ``ratio`` (parts of a million) of a positive amount does not pass."""
    return (amount // MILLION + 1) * ratio


@njit(cache=True, inline="always")
def floor_below(high: int, keeps: int) -> int:
    """Return the equity below which a loss from ``high`` may be too large; NONE without a limit."""
    return NONE if keeps < 0 else at_most(high, keeps)
