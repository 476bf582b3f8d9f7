"""The projections are nothing but the journal, added up."""

import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from app.domain.events import (
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
    OrderUnknown,
    ReasonCleared,
    ReasonRaised,
    Severity,
    StreamReset,
)
from app.domain.ledger import deposit, funding
from app.domain.order import TERMINAL, TRANSITIONS, OrderStatus
from app.domain.records import CancelIntended, DayClosed, OrderSent, StateSaved
from app.storage import ServerPlace, fold, open_journal, rebuild_projections, rebuilding
from app.storage.tables import PROJECTIONS
from tests.fakes.journal import FakeJournal
from tests.storage import records
from tests.storage.looking import look
from tests.storage.records import BTC

IDS = st.sampled_from(["main-1-1", "main-1-2", "main-1-3", "stranger"])
TIMES = st.integers(1, 9)
OWNERS = st.sampled_from(["risk", "monitor"])


def paid_with_entry(time_ns):
    paid = records.funding(time_ns)
    return paid, funding(paid.reference, paid.amount, paid.currency, time_ns)


APPENDS = st.one_of(
    st.builds(lambda i, t: (records.intended(i, "2", t),), IDS.filter(lambda i: i != "stranger"), TIMES),
    st.builds(lambda i, t: (OrderSent(i, t),), IDS, TIMES),
    st.builds(lambda i, t: (OrderAccepted(i, f"v-{t}", BTC, t),), IDS, TIMES),
    st.builds(lambda i, t: (OrderTriggered(i, BTC, t),), IDS, TIMES),
    st.builds(
        lambda kind, i, t: (kind(i, BTC, t, f"because {t}"),),
        st.sampled_from([OrderRejected, OrderUnknown, OrderCanceled, OrderExpired]),
        IDS,
        TIMES,
    ),
    st.builds(lambda i, t: (CancelIntended(i, t, "stop"),), IDS, TIMES),
    st.builds(
        lambda n, i, c, t: records.filled(f"t{n}", i, str(c), str(c), t),
        st.integers(1, 6),
        IDS,
        st.integers(1, 2),
        TIMES,
    ),
    st.builds(paid_with_entry, TIMES),
    st.builds(lambda t: (deposit(f"in-{t}", Decimal("1.10"), "USDT", t),), TIMES),
    st.builds(
        lambda o, s, t: (ReasonRaised(time_ns=t, owner=o, code="c", severity=s, detail=f"{t}"),),
        OWNERS,
        st.sampled_from(Severity),
        TIMES,
    ),
    st.builds(lambda o, t: (ReasonCleared(time_ns=t, owner=o, code="c"),), OWNERS, TIMES),
    st.builds(lambda o, t: (StateSaved(o, bytes([t, 255]), t),), OWNERS, TIMES),
    st.builds(
        lambda t: (DayClosed(day=f"2026-01-0{t}", equity_start=Decimal(t), equity_end=Decimal(2), time_ns=t),), TIMES
    ),
    st.builds(lambda t: (StreamReset(t, "lost"),), TIMES),
)
RESTART = st.just("restart")


def dump(place):
    return {
        table.name: sorted(look(place, f"SELECT * FROM {table.name}"), key=repr)  # noqa: S608 - our own names
        for table in PROJECTIONS
    }


def open_main(place):
    return open_journal(place, "main", threaded=False, busy_timeout_s=1)


def check_rebuilt_is_live(place, steps):
    journal, fake = open_main(place), FakeJournal()
    count = 0
    for step in steps:
        if step == "restart":
            journal.close()
            journal, fake = open_main(place), fake.crashed()
            assert journal.recovered() == fake.recovered()
        else:
            journal.append(*step)
            fake.append(*step)
            # Memories are no part of the journal: they are not rebuilt, and not lost either.
            count += sum(not isinstance(record, StateSaved) for record in step)
    journal.close()
    live = dump(place)
    assert rebuild_projections(place, busy_timeout_s=1) == count
    assert dump(place) == live


@settings(max_examples=40, deadline=None)
@given(st.lists(APPENDS | RESTART, max_size=40))
def test_rebuilt_equals_live(steps):
    """Over random histories with restarts; and what a restart recovers is what a fake without a database adds up."""
    with tempfile.TemporaryDirectory() as name:
        check_rebuilt_is_live(Path(name), steps)


@settings(max_examples=8, deadline=None)
@given(st.lists(APPENDS | RESTART, max_size=40))
def test_rebuilt_equals_live_on_a_server(running_server, steps):
    running_server.clean()
    place = ServerPlace(url=SecretStr(running_server.url()), schema="perps_any")
    check_rebuilt_is_live(place, steps)


def test_rebuilt_equals_live_in_small_chunks_with_little_at_hand(opened, place, mocker):
    """The same when hardly anything is kept in memory, so that most is asked of the database."""
    mocker.patch.object(rebuilding, "CHUNK_RECORDS", 3)
    mocker.patch.object(fold, "RECENT_TRADES_MAX", 1)
    mocker.patch.object(fold, "ENDED_ORDERS_MAX", 0)
    journal = opened()
    for number in range(6):
        order_id = f"main-1-{number}"
        journal.append(records.intended(order_id, "2"))
        journal.append(*records.filled(f"t{number}", order_id, "2", "2"))
        journal.append(OrderCanceled("main-1-0", BTC, 7, "late"))
        journal.append(*records.filled("t0", "main-1-0", "2", "2"))
    journal.close()
    live = dump(place)
    assert len(live["fills"]) == 6
    parts = []
    rebuild_projections(place, busy_timeout_s=1, on_part=parts.append)
    assert dump(place) == live
    assert parts[-1] == 1
    assert len(parts) > 10
    assert parts == sorted(parts)


@given(st.lists(APPENDS, max_size=60))
def test_statuses_only_go_where_the_table_of_transitions_allows(steps):
    """However the facts are ordered; only "was never noted as sent" is skipped over."""
    folded = fold.Fold()
    seen = {}
    for seq, step in enumerate(steps, 1):
        for record in step:
            folded.apply(fold.Numbered(seq, record))
        for key, order in folded.orders.items():
            before, after = seen.get(key, OrderStatus.INTENDED), order.known.status
            through_sent = TRANSITIONS[OrderStatus.SENT] if before is OrderStatus.INTENDED else frozenset()
            assert after is before or after in TRANSITIONS[before] | through_sent
            if before in TERMINAL:
                assert after is before
            seen[key] = after
