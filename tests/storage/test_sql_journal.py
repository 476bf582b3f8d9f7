"""What a restart finds, and what is on disk when."""

from decimal import Decimal

import pytest

from app.domain.events import (
    OrderAccepted,
    OrderCanceled,
    OrderRejected,
    OrderUnknown,
    ReasonCleared,
    ReasonRaised,
    Severity,
    StreamReset,
)
from app.domain.ledger import Account, deposit, funding
from app.domain.order import OrderStatus
from app.domain.position import Position
from app.domain.records import (
    CancelIntended,
    DayClosed,
    Mismatch,
    OrderDenied,
    OrderSent,
    PositionChanged,
    StateSaved,
)
from app.domain.target import Target
from app.ports.journal import JournalFailed
from app.storage import MemoryJournal, fold, read_summary
from app.storage.commit_now import BUFFERED_RECORDS_MAX
from tests.storage import records
from tests.storage.inside import store_of
from tests.storage.records import BTC

ID = "main-1-000001"


def reason(code="daily_loss", severity=Severity.HALTED, *, latched=True, time_ns=5):
    return ReasonRaised(time_ns=time_ns, owner="risk", code=code, severity=severity, detail="lost 5 %", latched=latched)


def test_a_fresh_journal_knows_nothing_and_counts_the_start(opened):
    recovered = opened().recovered()
    assert recovered.epoch == 1
    assert recovered.last_time_ns is None
    assert recovered.working_orders == ()
    assert recovered.ledger_totals == {}


def test_every_start_has_its_own_epoch(opened):
    for epoch in (1, 2, 3):
        journal = opened()
        assert journal.recovered().epoch == epoch
        journal.close()


def test_a_journal_is_named_once_and_each_account_s_by_itself(opened):
    """What later starts offer is not taken: ids that were made must stay recognisable."""
    for offered in ("4fa9c2", "0b1c2d"):
        journal = opened(new_instance=offered)
        assert (journal.recovered().instance, journal.recovered().instance_since) == ("4fa9c2", 1)
        journal.close()
    assert opened("second", new_instance="777777").recovered().instance == "777777"


def test_a_journal_of_older_code_is_named_at_its_next_start_which_is_remembered(opened):
    for offered in ("", "", "4fa9c2", "0b1c2d"):
        journal = opened(new_instance=offered)
        journal.close()
    assert (journal.recovered().instance, journal.recovered().instance_since) == ("4fa9c2", 3)


def test_a_restart_finds_everything(opened):
    journal = opened()
    journal.append(deposit("initial", Decimal("1000.00"), "USDT", 50))
    journal.append(records.intended())
    journal.append(OrderSent(ID, 110), OrderAccepted(ID, "v1", BTC, 120))
    journal.append(*records.filled())
    paid = records.funding()
    journal.append(paid, funding(paid.reference, paid.amount, "USDT", 300))
    journal.append(reason(), StateSaved("risk", b"\x00peak", 310))
    journal.append(DayClosed(day="2026-01-01", equity_start=Decimal(1000), equity_end=Decimal("999.70"), time_ns=320))
    journal.close()

    again = opened()
    recovered = again.recovered()
    (working,) = recovered.working_orders
    assert working.order == records.order()
    assert (working.status, working.filled, working.venue_order_id) == (
        OrderStatus.PARTIALLY_FILLED,
        Decimal(1),
        "v1",
    )
    assert recovered.positions == (Position(BTC, Decimal(1), Decimal("100.10")),)
    assert recovered.ledger_totals == {
        Account.WALLET: Decimal("999.70"),
        Account.DEPOSITS: Decimal("-1000.00"),
        Account.FEES: Decimal("0.05"),
        Account.FUNDING: Decimal("0.25"),
    }
    assert recovered.trade_ids == ("t1",)
    assert recovered.funding_references == (paid.reference,)
    assert recovered.reasons == (reason(),)
    assert recovered.last_time_ns == 320
    assert again.state_of("risk") == b"\x00peak"
    assert again.state_of("nobody") is None


def test_amounts_come_back_digit_for_digit(opened):
    """0.1 + 0.2, trailing zeros and exponents included."""
    cost = Decimal("12345678901234567.00000001")
    journal = opened()
    journal.append(PositionChanged(Position(BTC, Decimal("0.30"), cost, Decimal("0E-8")), 1))
    journal.close()
    (position,) = opened().recovered().positions
    assert [str(position.contracts), str(position.cost), str(position.isolated_margin)] == [
        "0.30",
        "12345678901234567.00000001",
        "0E-8",
    ]


def test_ended_orders_and_flat_positions_are_not_recovered(opened):
    journal = opened()
    journal.append(records.intended(contracts="1"), *records.filled(held="0"))
    journal.append(records.intended("main-1-000002"), OrderSent("main-1-000002", 1))
    journal.append(OrderRejected("main-1-000002", BTC, 2, "no margin"))
    journal.append(records.intended("main-1-000003"), OrderCanceled("main-1-000003", BTC, 3, "withdrawn"))
    journal.close()
    recovered = opened().recovered()
    assert recovered.working_orders == ()
    assert recovered.positions == ()


def test_a_fill_told_twice_is_applied_once(opened):
    """Within a run, and when the exchange tells it again after a restart."""
    journal = opened()
    journal.append(records.intended(contracts="3"), *records.filled())
    journal.append(*records.filled())
    journal.close()
    journal = opened()
    journal.append(*records.filled())
    journal.close()
    recovered = opened().recovered()
    assert recovered.working_orders[0].filled == 1
    assert recovered.trade_ids == ("t1",)
    assert recovered.ledger_totals[Account.FEES] == Decimal("0.05")


def test_a_fill_is_known_although_it_is_no_longer_at_hand(opened, place, mocker):
    """Older trades, settlements and ended orders are asked of the database."""
    mocker.patch.object(fold, "RECENT_TRADES_MAX", 1)
    mocker.patch.object(fold, "RECENT_FUNDING_MAX", 1)
    mocker.patch.object(fold, "ENDED_ORDERS_MAX", 0)
    journal = opened()
    journal.append(records.intended(contracts="1"))
    for trade, order_id in (("t1", ID), ("t2", "stranger"), ("t3", "stranger"), ("t4", None)):
        journal.append(records.fill(trade, order_id))
    for time_ns in (1, 2, 3):
        journal.append(records.funding(time_ns))
    assert "t1" not in store_of(journal)._projections.fold.trades
    journal.append(*records.filled("t1"))
    journal.append(records.funding(1))
    journal.append(OrderAccepted(ID, "v9", BTC, 400), records.fill("t5"))
    journal.append(records.intended(contracts="1"))
    journal.close()
    summary = read_summary(place)
    (order,) = summary.recent_orders
    assert (order.status, order.filled, order.venue_order_id) == (OrderStatus.FILLED, Decimal(2), "v1")
    assert [f.trade_id for f in summary.recent_fills] == ["t5", "t4", "t3", "t2", "t1"]


def test_a_status_never_regresses(opened, place):
    """Late and repeated facts: accepted after filled, canceled after filled, rejected after canceled."""
    journal = opened()
    journal.append(records.intended(contracts="1"), OrderSent(ID, 1), *records.filled())
    journal.append(OrderAccepted(ID, "v1", BTC, 3), OrderCanceled(ID, BTC, 4, "late"), OrderUnknown(ID, BTC, 5, "?"))
    journal.close()
    (order,) = read_summary(place).recent_orders
    assert (order.status, order.reason) == (OrderStatus.FILLED, "")


def test_an_unknown_order_that_is_found_again_loses_its_reason(opened):
    journal = opened()
    journal.append(records.intended(), OrderSent(ID, 1), OrderUnknown(ID, BTC, 2, "timed out"))
    journal.append(*records.filled())
    journal.close()
    journal = opened()
    assert journal.recovered().working_orders[0].status is OrderStatus.PARTIALLY_FILLED
    journal.append(OrderUnknown(ID, BTC, 3, "timed out again"), OrderAccepted(ID, "other", BTC, 4))
    journal.close()
    (order,) = opened().recovered().working_orders
    assert (order.status, order.reason, order.venue_order_id) == (OrderStatus.PARTIALLY_FILLED, "", "v1")


def test_what_the_exchange_knows_was_sent_although_a_crash_kept_us_from_noting_it(opened):
    journal = opened()
    journal.append(records.intended(), OrderUnknown(ID, BTC, 2, "found after a crash"))
    journal.close()
    assert opened().recovered().working_orders[0].status is OrderStatus.UNKNOWN


def test_strangers_orders_and_liquidations_are_kept(opened, place):
    journal = opened()
    journal.append(
        OrderCanceled("not-ours", BTC, 1, "by hand"), records.fill("liq", None), records.fill("x", "not-ours")
    )
    journal.close()
    summary = read_summary(place)
    assert summary.recent_orders == ()
    assert [fill.trade_id for fill in summary.recent_fills] == ["x", "liq"]


def test_reasons_are_raised_replaced_and_cleared(opened):
    journal = opened()
    journal.append(reason(severity=Severity.REDUCE_ONLY), reason("stale"), reason("lag"))
    journal.append(reason("stale", time_ns=9), reason(severity=Severity.HALTED, time_ns=10))
    journal.append(ReasonCleared(time_ns=11, owner="risk", code="lag"))
    journal.append(ReasonCleared(time_ns=12, owner="risk", code="never raised"))
    journal.close()
    held = opened().recovered().reasons
    assert held == (reason("stale"), reason(severity=Severity.HALTED, time_ns=10))


def test_every_row_names_account_strategy_and_versions(opened, rows):
    journal = opened()
    journal.append(records.intended(), OrderSent(ID, 1), *records.filled())
    paid = records.funding()
    journal.append(paid, funding(paid.reference, paid.amount, "USDT", 300))
    journal.append(Target(strategy_id="other", symbol="ETH", contracts=Decimal(0), sequence=1, time_ns=1))
    journal.append(OrderDenied(records.order("main-1-000009"), 1, "max_orders", "5", "4"))
    journal.append(StreamReset(1, "gone"), deposit("in", Decimal(1), "USDT", 1), records.fill("liq", None))
    journal.close()
    assert rows("SELECT account_id, kind, strategy_id, instrument_version, schema_version FROM journal") == [
        ("main", "OrderIntended", "trend", 7, 1),
        ("main", "OrderSent", "trend", 7, 1),
        ("main", "Fill", "trend", 7, 1),
        ("main", "LedgerEntry", "trend", 0, 1),
        ("main", "PositionChanged", "trend", 0, 1),
        ("main", "FundingPaid", "trend", 0, 1),
        ("main", "LedgerEntry", "trend", 0, 1),
        ("main", "Target", "other", 0, 1),
        ("main", "OrderDenied", "trend", 7, 1),
        ("main", "StreamReset", "", 0, 1),
        ("main", "LedgerEntry", "", 0, 1),
        ("main", "Fill", "", 0, 1),
    ]


def test_two_accounts_in_one_database_never_mix(opened, place):
    for account in ("main", "second"):
        journal = opened(account)
        assert journal.recovered().epoch == 1
        assert journal.recovered().trade_ids == ()
        journal.append(records.intended(), *records.filled(), reason(), StateSaved("risk", account.encode(), 1))
        journal.close()
    assert opened("main").state_of("risk") == b"main"
    assert read_summary(place).account_id == "second"
    assert read_summary(place, "main").ledger_totals["USDT"][Account.FEES] == Decimal("0.05")


def test_what_only_we_know_is_on_disk_when_append_returns(opened, rows):
    journal = opened()
    ticket = journal.append(records.intended())
    assert ticket.durable
    assert rows("SELECT kind FROM journal") == [("OrderIntended",)]


@pytest.mark.parametrize(
    "record",
    [
        CancelIntended(ID, 1, "stop"),
        reason(),
        StateSaved("x", b"", 1),
        Mismatch(kind="position", symbol=BTC, ours="1", theirs="2", action="adopted", time_ns=1),
    ],
)
def test_decisions_are_durable_at_once(opened, record):
    assert opened().append(record).durable


def test_what_the_exchange_would_tell_again_waits_for_the_next_commit(opened, rows):
    journal = opened()
    ticket = journal.append(OrderSent(ID, 1))
    assert not ticket.durable
    assert rows("SELECT kind FROM journal") == []
    journal.append(records.intended())
    assert ticket.durable
    assert rows("SELECT kind FROM journal ORDER BY seq") == [("OrderSent",), ("OrderIntended",)]


def test_the_buffer_is_bounded(opened):
    journal = opened()
    first = journal.append(OrderSent(ID, 1))
    for _ in range(BUFFERED_RECORDS_MAX - 2):
        journal.append(OrderSent(ID, 1))
    assert not first.durable
    journal.append(OrderSent(ID, 1))
    assert first.durable


def test_whoever_waits_for_a_buffered_record_gets_it_committed(opened):
    called = []
    ticket = opened().append(OrderSent(ID, 1))
    ticket.when_durable(lambda: called.append(ticket.durable))
    ticket.when_durable(lambda: called.append(ticket.durable))
    assert called == [True, True]


def test_flush_and_close_commit_what_is_buffered(opened, rows):
    journal = opened()
    ticket = journal.append(OrderSent(ID, 1))
    journal.flush()
    assert ticket.durable
    journal.append(OrderSent(ID, 2))
    journal.close()
    assert rows("SELECT count(*) FROM journal") == [(2,)]


def test_a_closed_journal_takes_no_more(opened):
    journal = opened()
    journal.close()
    journal.close()
    with pytest.raises(JournalFailed, match="closed"):
        journal.append(records.intended())


def test_a_state_saved_in_this_run_is_returned(opened):
    journal = opened()
    journal.append(StateSaved("risk", b"1", 1))
    assert journal.state_of("risk") == b"1"


def test_the_same_run_has_the_same_digest_in_memory_and_on_disk(opened):
    journals = opened(), MemoryJournal()
    for journal in journals:
        journal.append(records.intended(), OrderSent(ID, 1), *records.filled())
    assert journals[0].digest() == journals[1].digest()
