"""A double-entry ledger of one account in one currency. Every entry sums to zero, exactly.

Accounts are signed so that WALLET is what the exchange owes us, and the other four say where it came from:

    wallet + deposits + realized + fees + funding = 0
    balance = wallet = deposited + realized PnL (gross) - fees + funding
"""

from decimal import Decimal
from types import MappingProxyType

import msgspec

from app.domain.errors import CurrencyMismatch, UnbalancedEntry
from app.domain.money import ZERO
from app.domain.term import Term


class Account(Term):
    """Where money comes from and where it goes."""

    WALLET = "wallet"
    DEPOSITS = "deposits"
    REALIZED = "realized"
    FEES = "fees"
    FUNDING = "funding"


_WALLET, _REALIZED, _FEES = Account.WALLET, Account.REALIZED, Account.FEES


class Posting(msgspec.Struct, frozen=True, gc=False):
    """A change of one account."""

    account: Account
    amount: Decimal


class LedgerEntry(msgspec.Struct, frozen=True, tag=True):
    """Postings that belong together."""

    reference: str
    """What caused it: a trade id, a funding settlement, a deposit."""
    currency: str
    time_ns: int
    postings: tuple[Posting, ...]

    def amount(self, account: Account) -> Decimal:
        """Return the signed change of an account; zero when the entry does not touch it."""
        for posting in self.postings:
            if posting.account is account:
                return posting.amount
        return ZERO


class Ledger:
    """Running totals of the accounts; the entries themselves live in the journal."""

    __slots__ = ("_totals", "balance", "currency")

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.balance = ZERO
        """What the exchange owes us, without unrealized profit: the total of the wallet, asked for at every turn."""
        self._totals = dict.fromkeys(Account, ZERO)

    @property
    def totals(self) -> MappingProxyType[Account, Decimal]:
        """Signed totals of all accounts; they sum to zero."""
        return MappingProxyType(self._totals)

    @property
    def deposited(self) -> Decimal:
        """What was paid in, less what was paid out."""
        return -self._totals[Account.DEPOSITS]

    @property
    def realized(self) -> Decimal:
        """Realized profit, gross of fees and funding."""
        return -self._totals[Account.REALIZED]

    @property
    def fees(self) -> Decimal:
        """Fees paid; positive is paid."""
        return self._totals[Account.FEES]

    @property
    def funding(self) -> Decimal:
        """Funding; positive is received."""
        return -self._totals[Account.FUNDING]

    def post(self, entry: LedgerEntry) -> None:
        """Add an entry to the totals.

        Raises:
            CurrencyMismatch: The entry is in another currency.
            UnbalancedEntry: Its postings do not sum to zero.
        """
        if entry.currency != self.currency:
            raise CurrencyMismatch(self.currency, entry.currency)
        postings = entry.postings
        total = ZERO
        for posting in postings:
            total += posting.amount
        if total:
            raise UnbalancedEntry(entry.reference, total, entry.currency)
        totals = self._totals
        for posting in postings:
            totals[posting.account] += posting.amount
        self.balance = totals[_WALLET]

    def restore(self, totals: dict[Account, Decimal]) -> None:
        """Replace the totals by recorded ones.

        Raises:
            UnbalancedEntry: They do not sum to zero.
        """
        if total := sum(totals.values(), ZERO):
            raise UnbalancedEntry("recorded totals", total, self.currency)
        self._totals = dict.fromkeys(Account, ZERO) | totals
        self.balance = self._totals[_WALLET]


def deposit(reference: str, amount: Decimal, currency: str, time_ns: int) -> LedgerEntry:
    """Return the entry of money paid in (positive) or out (negative)."""
    return LedgerEntry(
        reference, currency, time_ns, (Posting(Account.WALLET, amount), Posting(Account.DEPOSITS, -amount))
    )


def settlement(reference: str, realized: Decimal, fee: Decimal, currency: str, time_ns: int) -> LedgerEntry:
    """Return the entry of a fill: gross realized profit and the fee it cost."""
    wallet, fees = Posting(_WALLET, realized - fee), Posting(_FEES, fee)
    postings = (wallet, fees, Posting(_REALIZED, -realized)) if realized else (wallet, fees)
    return LedgerEntry(reference, currency, time_ns, postings)


def funding(reference: str, amount: Decimal, currency: str, time_ns: int) -> LedgerEntry:
    """Return the entry of a funding settlement; ``amount`` positive is received."""
    return LedgerEntry(
        reference, currency, time_ns, (Posting(Account.WALLET, amount), Posting(Account.FUNDING, -amount))
    )
