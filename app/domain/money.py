"""Money: an exact amount that knows its currency.

Decimal throughout. Amounts that a division produces are rounded half-even to the ledger quantum; everything else is
exact, because the widest product (price, contracts, contract size) fits in the 28 digits of the default context.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Self

import msgspec

from app.domain.errors import CurrencyMismatch

ZERO = Decimal(0)
ONE = Decimal(1)
LEDGER_QUANTUM = Decimal("0.00000001")
"""The smallest amount the ledger keeps, in any currency."""


def to_ledger(amount: Decimal) -> Decimal:
    """Return ``amount`` rounded half-even to the ledger quantum.

    >>> to_ledger(Decimal("0.000000005")), to_ledger(Decimal("0.000000015"))
    (Decimal('0E-8'), Decimal('2E-8'))
    """
    return amount.quantize(LEDGER_QUANTUM, ROUND_HALF_EVEN)


def plain(amount: Decimal) -> str:
    """Return ``amount`` exactly, without exponent or trailing zeros, for people and for JSON.

    >>> plain(Decimal("1E+3")), plain(Decimal("0.10")), plain(Decimal("-0.00"))
    ('1000', '0.1', '0')
    """
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def brief(amount: Decimal) -> str:
    """Return ``amount`` for a glance: in two places, or in four digits where it is less than one.

    >>> brief(Decimal("-21.17904135")), brief(Decimal("0.00123456")), brief(Decimal("0"))
    ('-21.18', '0.001235', '0.00')
    """
    return plain(Decimal(f"{amount:.4g}")) if 0 < abs(amount) < 1 else f"{amount:.2f}"


def percent(ratio: Decimal) -> str:
    """Return a part of a whole as people say it.

    >>> percent(Decimal("0.05")), percent(Decimal("5")), percent(Decimal("0.0025"))
    ('5 %', '500 %', '0.25 %')
    """
    return f"{plain(100 * ratio)} %"


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount of one currency.

    >>> Money(Decimal("1.5"), "USDT") + Money(Decimal("0.5"), "USDT")
    Money(amount=Decimal('2.0'), currency='USDT')
    """

    amount: Decimal
    currency: str

    def __add__(self, other: Self) -> "Money":
        return Money(self.amount + self._same_currency(other), self.currency)

    def __sub__(self, other: Self) -> "Money":
        return Money(self.amount - self._same_currency(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        return f"{plain(self.amount)} {self.currency}"

    def _same_currency(self, other: Self) -> Decimal:
        if other.currency != self.currency:
            raise CurrencyMismatch(self.currency, other.currency)
        return other.amount
