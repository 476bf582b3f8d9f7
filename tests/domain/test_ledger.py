"""Every entry sums to zero, and so do the totals."""

from decimal import Decimal

import pytest

from app.domain.errors import CurrencyMismatch, UnbalancedEntry
from app.domain.ledger import Account, Ledger, LedgerEntry, Posting, deposit, funding, settlement


def test_the_balance_is_what_came_in_less_what_went_out():
    """1000 deposited, 50 earned, 3 fees, 2 funding paid: 1045."""
    ledger = Ledger("USDT")
    ledger.post(deposit("opening", Decimal(1000), "USDT", 1))
    ledger.post(settlement("t1", Decimal(50), Decimal(3), "USDT", 2))
    ledger.post(funding("f1", Decimal(-2), "USDT", 3))
    assert ledger.balance == Decimal(1045)
    assert (ledger.deposited, ledger.realized, ledger.fees, ledger.funding) == (1000, 50, 3, -2)
    assert sum(ledger.totals.values()) == 0


def test_an_opening_fill_has_no_realized_posting():
    """Guards tell closing fills by it."""
    opening = settlement("t1", Decimal(0), Decimal(1), "USDT", 1)
    assert [posting.account for posting in opening.postings] == [Account.WALLET, Account.FEES]


def test_a_rebate_is_a_negative_fee():
    ledger = Ledger("USDT")
    ledger.post(settlement("t1", Decimal(0), Decimal("-0.5"), "USDT", 1))
    assert (ledger.balance, ledger.fees) == (Decimal("0.5"), Decimal("-0.5"))


def test_an_entry_that_does_not_sum_to_zero_is_refused():
    ledger = Ledger("USDT")
    lopsided = LedgerEntry("t9", "USDT", 1, (Posting(Account.WALLET, Decimal(2)), Posting(Account.FEES, Decimal(-1))))
    with pytest.raises(UnbalancedEntry, match="sums to 1 USDT, not to zero"):
        ledger.post(lopsided)
    assert ledger.balance == 0


def test_another_currency_is_refused():
    with pytest.raises(CurrencyMismatch):
        Ledger("USDT").post(deposit("opening", Decimal(1), "BTC", 1))


def test_recorded_totals_are_taken_over():
    ledger = Ledger("USDT")
    ledger.restore({Account.WALLET: Decimal(7), Account.DEPOSITS: Decimal(-7)})
    assert (ledger.balance, ledger.fees) == (Decimal(7), 0)


def test_recorded_totals_that_do_not_sum_to_zero_are_refused():
    with pytest.raises(UnbalancedEntry, match="recorded totals") as caught:
        Ledger("USDT").restore({Account.WALLET: Decimal(7)})
    assert caught.value.total == Decimal(7)
