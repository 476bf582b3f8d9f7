"""Bugs on an order's way out: ids, intents, clamps, restrictions."""

import asyncio

import msgspec

from app.coordinators.agreement import Agreement
from app.coordinators.execution_stage import ExecutionStage
from app.domain.denial import Denial
from app.domain.events import OrderUnknown, Severity
from app.domain.order import OrderStatus, Purpose, Side
from app.domain.records import OrderIntended
from app.domain.trading_state import TradingLevel, TradingState
from app.execution import AccountBooks, SendPoint
from app.execution.pursuits import Pursuits
from app.risk import RiskEngine
from app.timing import SequentialIds
from tests.simulation.planted.bug import Bug, Veiled, around

OTHER = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


class Durable:
    """A ticket that says what is not so."""

    durable = True


def ids_repeat(patch):
    around(
        patch, SequentialIds, "__init__", lambda made, ids, account_id, epoch, *more: made(ids, account_id, 1, *more)
    )


def ids_count_orders_of_a_symbol_only(patch):
    def next_id(original, ids):
        key = original(ids)
        return f"{key[:-2]}00" if key.endswith("7") else key

    around(patch, SequentialIds, "next_client_order_id", next_id)


def submit_again(stage, tracked):
    stage._send_point._order_entry.submit(tracked.order)


def unknown_is_sent_again(patch):
    def on_order(original, stage, event):
        original(stage, event)
        tracked = stage.books.tracker.find(event.client_order_id)
        if isinstance(event, OrderUnknown) and tracked is not None and tracked.is_working:
            submit_again(stage, tracked)

    around(patch, ExecutionStage, "_on_order", on_order)


def restart_sends_again(patch):
    def recover(original, stage):
        original(stage)
        for tracked in stage.books.tracker.all_working():
            if tracked.status is OrderStatus.UNKNOWN:
                submit_again(stage, tracked)

    around(patch, ExecutionStage, "recover", recover)


def with_journal(patch, append):
    def make(original, point, **parts):
        journal = parts["journal"]
        original(point, **parts | {"journal": Veiled(journal, append=lambda *records: append(journal, *records))})

    around(patch, SendPoint, "__init__", make)


def send_before_durable(patch):
    def append(journal, *records):
        journal.append(*records)
        return Durable()

    with_journal(patch, append)


def intents_are_not_written(patch):
    def append(journal, *records):
        kept = [record for record in records if not isinstance(record, OrderIntended)]
        if kept:
            journal.append(*kept)
        return Durable()

    with_journal(patch, append)


def protective_intents_are_not_written(patch):
    def append(journal, *records):
        if any(isinstance(record, OrderIntended) and record.order.is_protective for record in records):
            return Durable()
        return journal.append(*records)

    with_journal(patch, append)


def intents_are_written_later(patch):
    def append(journal, *records):
        if isinstance(records[0], OrderIntended):
            asyncio.get_running_loop().call_later(0.05, lambda: journal.append(*records))
            return Durable()
        return journal.append(*records)

    with_journal(patch, append)


def release_does_not_look_again(patch):
    blind = Veiled(None, current=TradingState(), raise_reason=lambda *_, **__: None)
    around(patch, SendPoint, "__init__", lambda made, point, **parts: made(point, **parts | {"trading_state": blind}))


def reduce_only_is_active(patch):
    def without_mild(state):
        return TradingState(tuple(reason for reason in state.reasons if reason.severity is Severity.HALTED))

    def release(original, point, tracked):
        inner = point._trading_state
        point._trading_state = Veiled(inner, current=without_mild(inner.current))
        try:
            original(point, tracked)
        finally:
            point._trading_state = inner

    patch.setattr(AccountBooks, "trading", property(lambda books: without_mild(books._trading_state.current)))
    around(patch, SendPoint, "_release", release)


def unknown_holds_nothing_back(patch):
    patch.setattr(Agreement, "weigh_unknown", lambda agreement: None)


def stale_books_are_trusted(patch):
    patch.setattr(AccountBooks, "distrust", lambda books, symbol: None)


def plan_changed(patch, change):
    import app.execution.pursuits as module

    def planned(original, pursuit, held, *rest, **options):
        todo = original(pursuit, held, *rest, **options)
        todo.send = [order for draft in todo.send for order in change(draft, held)]
        return todo

    around(patch, module, "plan", planned)


def exits_flip(patch):
    import app.execution.send_point as module

    patch.setattr(module, "clamp_to_position", lambda order, held: order)
    plan_changed(
        patch,
        lambda draft, held: [
            msgspec.structs.replace(draft, contracts=2 * draft.contracts) if draft.purpose is Purpose.EXIT else draft
        ],
    )


def exits_may_grow(patch):
    plan_changed(patch, lambda draft, held: [msgspec.structs.replace(draft, reduce_only=False)])


def stops_may_grow(patch):
    plan_changed(
        patch,
        lambda draft, held: [msgspec.structs.replace(draft, reduce_only=draft.reduce_only and not draft.is_protective)],
    )


def release_does_not_look_at_the_position(patch):
    def release(original, point, tracked):
        order, books = tracked.order, point._books
        if not order.reduce_only or tracked.status is not OrderStatus.INTENDED:
            original(point, tracked)
            return
        held = order.contracts * -order.side.sign
        position = Veiled(books.portfolio.position(order.symbol), contracts=held)
        point._books = Veiled(books, portfolio=Veiled(books.portfolio, position=lambda symbol: position))
        try:
            original(point, tracked)
        finally:
            point._books = books

    around(patch, SendPoint, "_release", release)


def exits_are_denied_while_restricted(patch):
    def check(original, engine, order, books):
        if books.trading.level is not TradingLevel.ACTIVE:
            return Denial("trading_state", "restricted", "active")
        return original(engine, order, books)

    around(patch, RiskEngine, "check", check)


def exits_are_measured_by_the_order_limit(patch):
    def check(original, engine, order, books):
        mark = books.portfolio.mark(order.symbol)
        if order.purpose is Purpose.EXIT and mark is not None and order.contracts * mark > 100:
            return Denial("order_notional", "too large", "100")
        return original(engine, order, books)

    around(patch, RiskEngine, "check", check)


def exits_go_the_wrong_way(patch):
    plan_changed(
        patch,
        lambda draft, held: [
            msgspec.structs.replace(draft, side=OTHER[draft.side]) if draft.purpose is Purpose.EXIT else draft
        ],
    )


def exits_are_tried_once(patch):
    def after_end(original, pursuits, tracked):
        if tracked.order.purpose is not Purpose.EXIT:
            original(pursuits, tracked)

    around(patch, Pursuits, "after_end", after_end)
    patch.setattr(Pursuits, "finish", lambda pursuits, symbol: pursuits.unfinished.discard(symbol))


BUGS = {
    "ids_repeat": Bug("one_order_per_intent", ids_repeat, "client order ids begin anew after a restart"),
    "ids_collide": Bug(
        "one_order_per_intent", ids_count_orders_of_a_symbol_only, "one id in ten is given twice in the same run"
    ),
    "unknown_is_sent_again": Bug("one_order_per_intent", unknown_is_sent_again, "no answer: sent again, blindly"),
    "restart_sends_again": Bug(
        "one_order_per_intent", restart_sends_again, "a restart sends what was under way once more"
    ),
    "send_before_durable": Bug("intent_before_bytes", send_before_durable, "sent before its ticket is durable"),
    "intents_are_not_written": Bug("intent_before_bytes", intents_are_not_written, "no write-ahead at all"),
    "protective_intents_are_not_written": Bug(
        "intent_before_bytes", protective_intents_are_not_written, "no write-ahead of stops and take-profits"
    ),
    "intents_are_written_later": Bug(
        "intent_before_bytes", intents_are_written_later, "the intent is written after the order has left"
    ),
    "release_does_not_look_again": Bug(
        "nothing_grows_restricted", release_does_not_look_again, "restricted while it waited for the store: sent"
    ),
    "reduce_only_is_active": Bug(
        "nothing_grows_restricted", reduce_only_is_active, "the milder restriction restricts nothing"
    ),
    "unknown_holds_nothing_back": Bug(
        "nothing_grows_restricted", unknown_holds_nothing_back, "growth goes on beside an order of unknown outcome"
    ),
    "stale_books_are_trusted": Bug(
        "nothing_grows_restricted", stale_books_are_trusted, "growth at the prices of a book that has gaps"
    ),
    "exits_flip": Bug("reduce_only_reduces", exits_flip, "an exit of twice the size, and no clamp"),
    "exits_may_grow": Bug("reduce_only_reduces", exits_may_grow, "exits and stops without the reduce-only flag"),
    "stops_may_grow": Bug("reduce_only_reduces", stops_may_grow, "stops without the reduce-only flag"),
    "release_does_not_look_at_the_position": Bug(
        "reduce_only_reduces",
        release_does_not_look_at_the_position,
        "the position was closed while an exit waited for the store: the exit goes out",
    ),
    "exits_are_denied_while_restricted": Bug(
        "exits_get_through", exits_are_denied_while_restricted, "a restriction holds exits, too"
    ),
    "exits_are_measured_by_the_order_limit": Bug(
        "exits_get_through", exits_are_measured_by_the_order_limit, "a limit of order size denies an exit"
    ),
    "exits_go_the_wrong_way": Bug("exits_get_through", exits_go_the_wrong_way, "an exit is on the wrong side"),
    "exits_are_tried_once": Bug("exits_get_through", exits_are_tried_once, "a rejected exit is given up"),
}
