"""Clocks and ids."""

import re
import time

import pytest

from app.domain.client_order_id import EPOCH_MAX
from app.domain.market import SECOND_NS
from app.timing import SequentialIds, StreamClock, WallClock


def test_wall_clock_tells_utc_and_ignores_the_stream():
    clock = WallClock()
    clock.advance_to(1)
    assert abs(clock.now_ns - time.time_ns()) < 60 * SECOND_NS


def test_wall_clock_goes_by_the_exchange_s_once_that_is_known():
    clock = WallClock()
    ahead_ns = clock.now_ns + 100 * SECOND_NS
    clock.follow(ahead_ns)
    assert 0 <= clock.now_ns - ahead_ns < 60 * SECOND_NS


def test_a_machine_whose_time_is_turned_back_does_not_make_prices_young_again(monkeypatch):
    clock = WallClock()
    before = clock.now_ns
    monkeypatch.setattr(time, "time_ns", lambda: before - 3600 * SECOND_NS)
    assert 0 <= clock.now_ns - before < 60 * SECOND_NS


def test_stream_clock_never_runs_backwards():
    clock = StreamClock(10)
    assert clock.now_ns == 10
    clock.advance_to(20)
    clock.advance_to(15)
    assert clock.now_ns == 20


def test_ids_are_account_epoch_and_sequence_and_the_same_in_a_second_run():
    first, second = SequentialIds("main", 3), SequentialIds("main", 3)
    ids = [first.next_client_order_id() for _ in range(17)]
    assert ids[-1] == "main-3-000017"
    assert ids == [second.next_client_order_id() for _ in range(17)]


def test_ids_of_another_start_are_others():
    """The epoch reserves the ids of a start: none of them was ever used."""
    assert SequentialIds("main", 1).next_client_order_id() != SequentialIds("main", 2).next_client_order_id()


@pytest.mark.parametrize("account", ["main", "a_b", "x" * 32, "hedge-fund_of_my-grandmother_1", "a" * 18])
def test_ids_fit_every_venue(account):
    """36 characters of letters, digits and hyphen, even in the last start and after a billion orders."""
    for instance in ("", "4fa9c2"):
        ids = SequentialIds(account, EPOCH_MAX, instance)
        ids._sequence = 9_999_999_998
        made = ids.next_client_order_id()
        assert re.fullmatch(r"[a-zA-Z0-9-]{1,36}", made)
        assert ids.is_ours(made)


def test_accounts_whose_names_had_to_be_cut_keep_apart():
    names = ["a_b", "a-b", "a" * 12, "a" * 13, "a" * 19, "a" * 20]
    for instance in ("", "4fa9c2"):
        assert len({SequentialIds(name, 1, instance).next_client_order_id() for name in names}) == len(names)


def test_sequence_goes_on_past_its_padding():
    ids = SequentialIds("main", 1)
    ids._sequence = 999_999
    assert ids.next_client_order_id() == "main-1-1000000"


@pytest.mark.parametrize("epoch", [-1, EPOCH_MAX + 1])
def test_an_epoch_out_of_range_is_refused(epoch):
    with pytest.raises(ValueError, match="new state folder"):
        SequentialIds("main", epoch)


def test_ids_of_any_start_of_this_account_are_known_as_ours():
    ids = SequentialIds("main", 3)
    assert ids.is_ours(ids.next_client_order_id())
    assert ids.is_ours("main-1-000009")
    assert not any(ids.is_ours(other) for other in ("other-1-000009", "main-1-x", "main-", "web_main-1-000001"))


def test_another_journal_of_the_account_makes_other_ids_and_knows_them_as_such():
    """Two folders on one account, or one that was emptied: the starts have the same number, the ids have not."""
    here, there = SequentialIds("main", 1, "4fa9c2"), SequentialIds("main", 1, "0b1c2d")
    ours, theirs = here.next_client_order_id(), there.next_client_order_id()
    assert (ours, theirs) == ("main-4fa9c2x1-000001", "main-0b1c2dx1-000001")
    assert (here.is_ours(ours), here.is_of_another_journal(ours)) == (True, False)
    assert (here.is_ours(theirs), here.is_of_another_journal(theirs)) == (False, True)
    assert not any(here.is_of_another_journal(other) for other in ("other-1-000009", "manual", "#77", "web_main-1-1"))


def test_ids_of_the_starts_before_the_journal_had_a_name_are_ours_and_no_later_ones():
    """Older code ran twice on this folder; a third start without a name was not in it."""
    ids = SequentialIds("main", 5, "4fa9c2", instance_since=3)
    assert ids.is_ours("main-2-000009")
    assert ids.is_ours("main-4fa9c2x4-000001")
    assert not ids.is_ours("main-3-000001")
    assert ids.is_of_another_journal("main-3-000001")


def test_ids_of_older_code_are_ours_however_long_the_account_s_name():
    """They had more room for it."""
    old = SequentialIds("a_long_account_name", 1).next_client_order_id()
    assert SequentialIds("a_long_account_name", 2, "4fa9c2", instance_since=2).is_ours(old)
