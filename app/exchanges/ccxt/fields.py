"""Single fields of ccxt's dicts: exact numbers, times, texts. Pure and total."""

from decimal import Decimal, InvalidOperation

from app.domain.market import MS_NS
from app.exchanges.ccxt.venues import Payload, UnreadableAnswer


def number(value: object, what: str) -> Decimal:
    """Return an exact number.

    Raises:
        UnreadableAnswer: It is none.
    """
    try:
        parsed = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise UnreadableAnswer(f"{what} is {value!r}, not a number") from None
    if not parsed.is_finite():
        raise UnreadableAnswer(f"{what} is {value!r}, not a number")
    return parsed


def number_or(value: object, default: Decimal, what: str) -> Decimal:
    """Return an exact number, or ``default`` where there is nothing."""
    return default if value is None else number(value, what)


def time_ns(payload: Payload, *keys: str, default: int | None = None) -> int:
    """Return a time in nanoseconds from the first of the keys that is there, in milliseconds.

    Raises:
        UnreadableAnswer: None is, and there is no default.
    """
    for key in keys or ("timestamp",):
        value = payload.get(key)
        if value is not None:
            return int(number(value, key)) * MS_NS
    if default is None:
        raise UnreadableAnswer(f"no time in the answer, asked for {', '.join(keys or ('timestamp',))}")
    return default


def text(payload: Payload, key: str) -> str:
    """Return a text that must be there.

    Raises:
        UnreadableAnswer: It is not.
    """
    value = payload.get(key)
    if value is None or value == "":
        raise UnreadableAnswer(f"no {key} in the answer")
    return str(value)
