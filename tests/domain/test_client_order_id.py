"""What a client order id says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.client_order_id import ClientOrderId, account_part, parse_client_order_id

NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)
INSTANCES = st.just("") | st.integers(0, 2**24 - 1).map("{:06x}".format)


@given(NAMES, INSTANCES, st.integers(0, 999_999), st.integers(1, 10**10))
def test_an_id_reads_back_as_what_it_was_made_of(name, instance, epoch, sequence):
    """However the account is named: hyphens in it do not shift the parts."""
    made = ClientOrderId(account_part(name, instance), instance, epoch, sequence)
    assert parse_client_order_id(str(made)) == made


@pytest.mark.parametrize(
    "text", ["", "manual", "#77", "main-1", "main-x-000001", "main-4fa9cx1-000001", "a_b-1-000001"]
)
def test_what_no_bot_made_says_nothing(text):
    assert parse_client_order_id(text) is None
