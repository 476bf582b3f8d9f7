"""Rows of a venue's market that can be read. What cannot is left out and told, and never taken for a value."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from loguru import logger

from app.domain.market import Bar
from app.domain.price_sieve import is_sound
from app.exchanges.ccxt.outcome import in_words
from app.exchanges.ccxt.venues import UnreadableAnswer

R = TypeVar("R")
T = TypeVar("T")

UNREADABLE = (UnreadableAnswer, LookupError, TypeError, ValueError, AttributeError)
"""What ccxt, or the translation, raises for what is not what it should be."""


def readable(rows: Iterable[R], translate: Callable[[R], T], what: str) -> list[T]:
    """Return the translated rows: one that is flawed must not hide the others.

    For what a market says, of which a part is worth something: of an account it would be wrong.

    Args:
        rows: As ccxt gives them.
        translate: Raises one of ``UNREADABLE`` for a row that is none.
        what: The rows are, for whoever reads of it: "past candles of BTC/USDT:USDT".
    """
    found, asked, flaw = [], 0, ""
    for row in rows:
        asked += 1
        try:
            found.append(translate(row))
        except UNREADABLE as error:
            flaw = flaw or in_words(error)
    if flaw:
        logger.warning(f"{asked - len(found)} of {asked} {what} left out: {flaw}")
    return found


def sound(bar: Bar) -> Bar:
    """Return a candle that can be true.

    Raises:
        UnreadableAnswer: It cannot.
    """
    if not is_sound(bar):
        raise UnreadableAnswer(
            f"cannot be true: open {bar.open}, high {bar.high}, low {bar.low}, close {bar.close}, volume {bar.volume}"
        )
    return bar
