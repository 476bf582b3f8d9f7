"""What is wanted of each symbol, worked through the send point. The whole bot's tests show it at work."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.denial import Denial
from app.domain.events import OrderCanceled, Severity
from app.domain.records import DustHeld, StateSaved
from app.execution import Pursuit, Pursuits, Trail
from tests.builders import BTC, START_NS, instrument, order, target
from tests.execution.desk import Desk


@pytest.fixture
def desk():
    return Desk()


def pursuits_of(desk, *, keep=True):
    made = Pursuits(
        desk.books, desk.point, desk.trading, desk.journal.append, desk.facts.append, keep=keep, trails=False
    )
    made.release()
    return made


def test_dust_is_told_when_it_changes_and_not_when_it_is_gone(desk):
    """0.5 with a lot of 0.3: 0.2 are dust; with a lot of 0.1 nothing is."""
    pursuits = pursuits_of(desk)
    desk.hold(Decimal("0.5"))
    pursuits.take(target("0.5"))
    for lot_size in ("0.3", "0.3", "0.1", "0.3"):
        desk.books.list_anew(instrument(lot_size=lot_size))
        pursuits.work(BTC)
    assert [fact.contracts for fact in desk.facts if isinstance(fact, DustHeld)] == [Decimal("0.2")] * 2


@pytest.mark.parametrize("keep", [True, False])
def test_what_is_wanted_is_on_record_before_the_first_intent_if_anything_is_kept(desk, keep):
    pursuits = pursuits_of(desk, keep=keep)
    pursuits.take(target("0.5"))
    pursuits.work(BTC)
    pursuits.save()
    kinds = [type(record) for record in desk.journal.records]
    assert (kinds[0] is StateSaved) == keep == (StateSaved in kinds)
    assert len(desk.sent) == 1


def test_the_end_of_an_order_that_nothing_is_wanted_of_changes_nothing(desk):
    pursuits = pursuits_of(desk)
    pursuits.after_end(desk.tracker.intend(order()))
    assert (desk.sent, pursuits.unfinished) == ([], set())


def test_a_flatten_voids_what_was_wanted_though_nothing_is_held_and_nothing_works(desk):
    """An entry that waits for its price to be tried again must not go out after it."""
    pursuits = pursuits_of(desk)
    pursuits.take(target("0.5"))
    pursuits.flatten("by hand", [BTC])
    pursuits.work(BTC)
    assert desk.sent == []


@pytest.mark.parametrize(("latched", "left"), [(False, 1), (True, 0)])
def test_an_entry_waits_for_what_will_pass_and_not_for_what_only_the_operator_lifts(desk, latched, left):
    """The market of the decision is long gone by then."""
    pursuits = pursuits_of(desk)
    pursuits.take(target("0.5"))
    desk.trading.raise_reason("execution", "overfill", Severity.REDUCE_ONLY, "why", latched=latched)
    desk.risk.verdict = Denial("trading_state", "reduce_only", "active")
    pursuits.resume()
    pursuits.finish(BTC)
    desk.trading.clear_reason("execution", "overfill")
    desk.risk.verdict = None
    pursuits.finish(BTC)
    assert len(desk.sent) == left


def test_what_ends_a_target_is_on_record_before_anything_else_is_sent(desk):
    pursuits = pursuits_of(desk)
    pursuits.take(target("0.5"))
    pursuits.save()
    pursuits.flatten("by hand", [BTC])
    pursuits.work(BTC)
    saved = [record for record in desk.journal.records if isinstance(record, StateSaved)]
    assert msgspec.json.decode(saved[-1].payload)[BTC]["void"]


def test_at_an_exchange_that_holds_trailing_stops_what_an_earlier_run_trailed_is_forgotten(desk):
    """It was at 110 where the bot moved the stop; from here on the exchange does."""
    pursuits = pursuits_of(desk)
    desk.hold(Decimal("0.5"))
    kept = Pursuit(target("0.5", trailing="5"), entered=True, trail=Trail(Decimal(110), Decimal(110)))
    pursuits.restore(msgspec.json.encode({BTC: kept}))
    pursuits.work(BTC)
    pursuits.save()
    saved = msgspec.json.decode(desk.journal.of(StateSaved)[-1].payload, type=dict[str, Pursuit])
    assert saved == {BTC: Pursuit(kept.target, entered=True)}


def test_an_exit_that_the_bot_itself_has_canceled_has_not_failed(desk):
    """A flatten, or a stop of the bot, takes back what works before it closes anew."""
    pursuits = pursuits_of(desk)
    desk.hold(Decimal("0.5"))
    pursuits.take(target("0"))
    for second in (1, 2, 3):
        pursuits.work(BTC)
        tracked = desk.tracker.find(desk.sent[-1])
        desk.point.cancel(tracked, "stopping")
        desk.tracker.apply(OrderCanceled(tracked.order.client_order_id, BTC, START_NS + second, "asked for"))
        pursuits.after_end(tracked)
    assert len(desk.sent) == 3
    assert pursuits.exits.stuck() == {}
    assert not desk.trading.current.reasons
