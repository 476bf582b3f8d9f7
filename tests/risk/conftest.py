"""An account under risk: 10,000 USDT, leverage 10, BTC marked at 100."""

from decimal import Decimal

import pytest

from tests.risk.account import Account


@pytest.fixture
def account():
    account = Account()
    account.mark("100")
    return account


@pytest.fixture
def rich():
    """An account that no margin check ever stops."""
    account = Account(deposit="100000000")
    account.mark(Decimal(100))
    return account
