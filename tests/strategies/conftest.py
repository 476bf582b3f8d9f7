"""An account for the strategies to look at."""

import pytest

from tests.strategies.account import FakeView


@pytest.fixture
def view():
    return FakeView()
