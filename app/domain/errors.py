"""What the domain refuses, one type for each thing a caller would do differently.

DomainError
├── CurrencyMismatch      two money values of different currencies met
├── InvalidInstrument     the terms of a contract, by which no order could be made
├── InvalidOrder          an order breaks a rule of its instrument or of its own type
├── UnknownInstrument     a symbol that the exchange does not list
├── IllegalTransition     an order's status would regress or jump
├── InvalidMarketData     a bar, a quote or a funding rate that cannot be true
└── UnbalancedEntry       a ledger entry that does not sum to zero
"""

from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches


class DomainError(Exception):
    """A rule of the domain was broken."""


class CurrencyMismatch(DomainError):
    """Two money values of different currencies met."""

    def __init__(self, left: str, right: str) -> None:
        self.left = left
        self.right = right
        super().__init__(f"cannot combine {left} with {right}: convert one of them first")


class InvalidInstrument(DomainError):
    """Terms of a contract by which no order could be made, and no position be left."""

    def __init__(self, symbol: str, flaw: str) -> None:
        self.symbol = symbol
        self.flaw = flaw
        super().__init__(f"{symbol} cannot be traded as it is listed: {flaw}")


class InvalidOrder(DomainError):
    """An order breaks a rule of its instrument or of its own type."""

    def __init__(self, rule: str, message: str) -> None:
        self.rule = rule
        super().__init__(message)


class UnknownInstrument(DomainError):
    """A symbol that the exchange does not list."""

    def __init__(self, symbol: str, listed: Iterable[str]) -> None:
        self.symbol = symbol
        near = get_close_matches(symbol, list(listed), n=1, cutoff=0.4)
        hint = f": did you mean {near[0]}?" if near else ": see the exchange's list of symbols"
        super().__init__(f"the exchange lists no symbol {symbol}{hint}")


class IllegalTransition(DomainError):
    """An order's status would regress or jump."""

    def __init__(self, client_order_id: str, current: str, wanted: str) -> None:
        self.client_order_id = client_order_id
        self.current = current
        self.wanted = wanted
        super().__init__(f"order {client_order_id} is {current} and cannot become {wanted}")


class InvalidMarketData(DomainError):
    """A bar, a quote or a funding rate that cannot be true."""


class UnbalancedEntry(DomainError):
    """A ledger entry that does not sum to zero."""

    def __init__(self, what: str, total: Decimal, currency: str) -> None:
        self.total = total
        self.currency = currency
        super().__init__(f"ledger entry {what!r} sums to {total} {currency}, not to zero: it was not posted")
