"""What ``status`` reads, beside a running bot or after."""

from decimal import Decimal

from app.domain.ledger import Account
from app.domain.order import OrderStatus
from app.domain.records import DayClosed, OrderSent
from app.storage import read_summary
from tests.storage import records


def test_a_summary_beside_a_running_bot(opened, place):
    journal = opened()
    journal.append(records.intended(), OrderSent("main-1-000001", 1), *records.filled())
    for day in ("2026-01-01", "2026-01-02"):
        journal.append(DayClosed(day=day, equity_start=Decimal(10), equity_end=Decimal(11), time_ns=900))
    summary = read_summary(place)
    assert (summary.account_id, summary.epoch, summary.records, summary.last_time_ns) == ("main", 1, 7, 900)
    assert [position.contracts for position in summary.positions] == [1]
    assert [order.status for order in summary.working_orders] == [OrderStatus.PARTIALLY_FILLED]
    assert summary.ledger_totals == {"USDT": {Account.FEES: Decimal("0.05"), Account.WALLET: Decimal("-0.05")}}
    assert summary.recent_orders == summary.working_orders
    assert summary.recent_fills == (records.fill(),)
    assert [day.day for day in summary.days] == ["2026-01-02", "2026-01-01"]
    assert summary.reasons == ()


def test_a_journal_without_records_names_who_was_started(opened, place):
    opened("second").close()
    summary = read_summary(place)
    assert (summary.account_id, summary.epoch, summary.records, summary.last_time_ns) == ("second", 1, 0, None)


def test_an_account_that_never_traded_has_nothing(opened, place):
    opened().close()
    summary = read_summary(place, "nobody")
    assert (summary.epoch, summary.positions, summary.ledger_totals) == (0, (), {})


def test_only_the_latest_are_listed(opened, place):
    journal = opened()
    for number in range(5):
        journal.append(records.intended(f"main-1-{number}"), records.fill(f"t{number}", f"main-1-{number}"))
    summary = read_summary(place, recent=2)
    assert [order.order.client_order_id for order in summary.recent_orders] == ["main-1-4", "main-1-3"]
    assert [fill.trade_id for fill in summary.recent_fills] == ["t4", "t3"]
    assert len(summary.working_orders) == 5
