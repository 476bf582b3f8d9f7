"""Bugs in the books: money, positions, and how they are compared with the exchange."""

import asyncio
from itertools import count

import msgspec

from app.coordinators import execution as executing
from app.coordinators import reconciler as reconciling
from app.coordinators.agreement import RECONCILING, Agreement
from app.coordinators.bounded_account import BoundedAccount
from app.coordinators.execution_stage import ExecutionStage
from app.coordinators.reconciler import Reconciler
from app.domain.denial import Denial
from app.domain.ledger import Account
from app.domain.money import ZERO
from app.domain.portfolio import Portfolio
from app.domain.reasons import EXECUTION
from app.execution import OrderTracker, SendPoint
from app.execution.pursuits import Pursuits
from app.ports.connection import ExchangeUnavailable
from app.risk import RiskEngine
from tests.simulation.planted.bug import Bug, Veiled, around

RACE_S = 0.05


def in_the_books(patch, name, replacement):
    """Plant into the bot's books alone: the venue keeps its accounts with the same class."""

    class Books(Portfolio):
        pass

    around(patch, Books, name, replacement)
    patch.setattr(executing, "Portfolio", Books)


def fills_taken_as(patch, change):
    in_the_books(patch, "apply", lambda apply, books, fill: apply(books, change(fill)))


def no_fee(patch):
    fills_taken_as(patch, lambda fill: msgspec.structs.replace(fill, fee=ZERO))


def fee_is_received(patch):
    fills_taken_as(patch, lambda fill: msgspec.structs.replace(fill, fee=-fill.fee))


def no_funding(patch):
    in_the_books(patch, "apply_funding", lambda apply, books, paid: None)


def funding_has_the_wrong_sign(patch):
    in_the_books(
        patch,
        "apply_funding",
        lambda apply, books, paid: apply(books, msgspec.structs.replace(paid, amount=-paid.amount)),
    )


def funding_counts_as_often_as_told(patch):
    numbers = count(1)
    in_the_books(
        patch,
        "apply_funding",
        lambda apply, books, paid: apply(books, msgspec.structs.replace(paid, time_ns=paid.time_ns + next(numbers))),
    )


def fills_count_as_often_as_told(patch):
    numbers = count(1)
    fills_taken_as(patch, lambda fill: msgspec.structs.replace(fill, trade_id=f"{fill.trade_id}/{next(numbers)}"))


def fills_of_strangers_are_not_ours(patch):
    in_the_books(
        patch,
        "apply",
        lambda apply, books, fill: None if (fill.client_order_id or "").startswith("stranger") else apply(books, fill),
    )


async def none(*_):
    return ()


def missed_fills_are_not_read(patch):
    patch.setattr(BoundedAccount, "fills_since", none)


def missed_funding_is_not_read(patch):
    patch.setattr(BoundedAccount, "funding_since", none)


def fills_are_read_from_now_on(patch):
    async def catch_up(original, reconciler):
        reconciler._memory.seen_ns = reconciler._context.clock.now_ns
        await original(reconciler)

    patch.setattr(reconciling, "LOOK_BACK_NS", 0)
    around(patch, Reconciler, "_catch_up", catch_up)


def a_reset_is_nothing(patch):
    def reset(stage, event):
        stage.record(event)

    patch.setattr(ExecutionStage, "_on_reset", reset)


def a_reset_is_over_at_once(patch):
    def on_reset(original, stage, event):
        original(stage, event)
        stage._trading_state.clear_reason(EXECUTION, RECONCILING)

    patch.setattr(Reconciler, "request", lambda reconciler: None)
    around(patch, ExecutionStage, "_on_reset", on_reset)


def nobody_compares_again(patch):
    async def wait(reconciler, seconds):
        del seconds
        await reconciler._requested.wait()
        reconciler._requested.clear()

    patch.setattr(Reconciler, "wait", wait)


def positions_are_not_compared(patch):
    patch.setattr(reconciling, "compare_positions", lambda *_: [])
    patch.setattr(BoundedAccount, "fills_since", none)


def an_unreadable_account_is_compared_with_nothing(patch):
    async def catch_up(original, reconciler):
        try:
            await original(reconciler)
        except ExchangeUnavailable:
            reconciler._tracker.__init__()

    around(patch, Reconciler, "_catch_up", catch_up)


def blind_to_orders(patch, hidden):
    """Have the limits count no working order that is ``hidden``."""

    def check(original, engine, order, books):
        def working(symbol):
            return tuple(item for item in books.working(symbol) if not hidden(order, item))

        symbols = [symbol for symbol in books.working_symbols if working(symbol)]
        return original(engine, order, Veiled(books, working=working, working_symbols=symbols))

    around(patch, RiskEngine, "check", check)


def working_orders_do_not_count(patch):
    blind_to_orders(patch, lambda order, item: True)


def orders_of_other_symbols_do_not_count(patch):
    blind_to_orders(patch, lambda order, item: item.order.symbol != order.symbol)


def sells_do_not_count(patch):
    blind_to_orders(patch, lambda order, item: item.order.signed_contracts < 0)


def unanswered_orders_do_not_count(patch):
    patch.setattr(Agreement, "weigh_unknown", lambda agreement: None)
    blind_to_orders(patch, lambda order, item: item.status in {"unknown", "sent", "intended"})


def limits_are_not_looked_at(patch):
    def check(original, engine, order, books):
        denial = original(engine, order, books)
        return None if denial is not None and denial.rule in {"gross_exposure", "leverage"} else denial

    around(patch, RiskEngine, "check", check)


def checked_and_reserved_later(patch):
    """The check passes, the order counts only a little later: two that are checked in between both pass."""
    allowed = set()

    def check(original, engine, order, books):
        return None if order.client_order_id in allowed else original(engine, order, books)

    def send(original, point, draft):
        order = msgspec.structs.replace(draft, client_order_id="draft")
        if draft.reduce_only:
            return original(point, draft)
        denial = point._risk.check(order, point._books)
        if denial is not None:
            return original(point, draft)

        def reserve():
            key = point._ids.next_client_order_id()
            allowed.add(key)
            ids, point._ids = point._ids, Veiled(point._ids, next_client_order_id=lambda: key)
            original(point, draft)
            point._ids = ids

        asyncio.get_running_loop().call_later(RACE_S, reserve)
        return Denial("later", "later", "later")

    around(patch, RiskEngine, "check", check)
    around(patch, SendPoint, "send", send)


def restored(patch, change):
    """Have the books restored from something else than what is on record."""

    def restore(original, books, positions, totals, trades, settlements, marks):
        original(books, *change(tuple(positions), dict(totals), tuple(trades), tuple(settlements)), marks)

    in_the_books(patch, "restore", restore)


def positions_are_not_restored(patch):
    restored(patch, lambda positions, totals, trades, settlements: ((), totals, trades, settlements))


def cost_is_not_restored(patch):
    restored(
        patch,
        lambda positions, totals, trades, settlements: (
            [msgspec.structs.replace(position, cost=ZERO) for position in positions],
            totals,
            trades,
            settlements,
        ),
    )


def fees_are_not_restored(patch):
    def change(positions, totals, trades, settlements):
        if totals:
            totals[Account.REALIZED] = totals.get(Account.REALIZED, ZERO) + totals.pop(Account.FEES, ZERO)
        return positions, totals, trades, settlements

    restored(patch, change)


def trades_are_not_restored(patch):
    restored(patch, lambda positions, totals, trades, settlements: (positions, totals, (), settlements))


def settlements_are_not_restored(patch):
    restored(patch, lambda positions, totals, trades, settlements: (positions, totals, trades, ()))


def positions_are_written_without_their_fills(patch):
    def on_fill(original, stage, fill):
        inner = stage._journal
        append = lambda *records: inner.append(*[r for r in records if type(r).__name__ != "Fill"])  # noqa: E731
        stage._journal = Veiled(inner, append=append)
        try:
            original(stage, fill)
        finally:
            stage._journal = inner

    around(patch, ExecutionStage, "_on_fill", on_fill)


def pursuits_are_not_saved(patch):
    patch.setattr(Pursuits, "save", lambda pursuits: None)


def working_orders_are_not_restored(patch):
    patch.setattr(OrderTracker, "restore", lambda tracker, records: None)


def guards_begin_anew(patch):
    patch.setattr(RiskEngine, "restore", lambda engine, payload: None)


BUGS = {
    "no_fee": Bug("books_add_up", no_fee, "fees are forgotten"),
    "fee_is_received": Bug("books_add_up", fee_is_received, "fees are added instead of taken"),
    "no_funding": Bug("books_add_up", no_funding, "funding is forgotten"),
    "funding_counts_as_often_as_told": Bug(
        "books_add_up", funding_counts_as_often_as_told, "funding that is told twice counts twice"
    ),
    "funding_has_the_wrong_sign": Bug(
        "books_add_up", funding_has_the_wrong_sign, "funding is paid where it is received"
    ),
    "fills_count_as_often_as_told": Bug(
        "books_equal_the_venue", fills_count_as_often_as_told, "no dedupe of fills by trade id"
    ),
    "fills_of_strangers_are_not_ours": Bug(
        "books_equal_the_venue", fills_of_strangers_are_not_ours, "fills of orders that nobody knows are dropped"
    ),
    "missed_fills_are_not_read": Bug(
        "books_equal_the_venue", missed_fills_are_not_read, "fills that the stream lost are not read"
    ),
    "missed_funding_is_not_read": Bug(
        "books_equal_the_venue", missed_funding_is_not_read, "funding that the stream lost is not read"
    ),
    "fills_are_read_from_now_on": Bug(
        "books_equal_the_venue",
        fills_are_read_from_now_on,
        "fills are asked for since now, not since the last agreement",
    ),
    "a_reset_is_nothing": Bug("nothing_grows_restricted", a_reset_is_nothing, "an interrupted stream is ignored"),
    "a_reset_is_over_at_once": Bug(
        "nothing_grows_restricted",
        a_reset_is_over_at_once,
        "after an interruption trading goes on before the account was read",
    ),
    "nobody_compares_again": Bug(
        "books_equal_the_venue", nobody_compares_again, "books and venue are compared at the start, and never again"
    ),
    "positions_are_not_compared": Bug(
        "books_equal_the_venue", positions_are_not_compared, "positions that differ are not noticed, nor fills read"
    ),
    "an_unreadable_account_is_compared_with_nothing": Bug(
        "status_never_regresses",
        an_unreadable_account_is_compared_with_nothing,
        "orders of an account that cannot be read are forgotten",
    ),
    "working_orders_do_not_count": Bug("limits_hold", working_orders_do_not_count, "limits count no working orders"),
    "orders_of_other_symbols_do_not_count": Bug(
        "limits_hold", orders_of_other_symbols_do_not_count, "limits count the orders of one symbol only"
    ),
    "sells_do_not_count": Bug("limits_hold", sells_do_not_count, "limits count no working sells"),
    "unanswered_orders_do_not_count": Bug(
        "limits_hold", unanswered_orders_do_not_count, "limits count no orders that are unanswered or unknown"
    ),
    "limits_are_not_looked_at": Bug(
        "limits_hold", limits_are_not_looked_at, "the limits of the account are not looked at"
    ),
    "checked_and_reserved_later": Bug(
        "limits_hold", checked_and_reserved_later, "an await between the check and the reservation"
    ),
    "positions_are_not_restored": Bug("memory_survives", positions_are_not_restored, "a restart finds no positions"),
    "cost_is_not_restored": Bug("memory_survives", cost_is_not_restored, "a restart forgets what positions cost"),
    "fees_are_not_restored": Bug("memory_survives", fees_are_not_restored, "a restart mistakes fees for losses"),
    "trades_are_not_restored": Bug(
        "memory_survives", trades_are_not_restored, "a restart forgets which trades it has counted"
    ),
    "settlements_are_not_restored": Bug(
        "memory_survives", settlements_are_not_restored, "a restart forgets which funding it has counted"
    ),
    "positions_are_written_without_their_fills": Bug(
        "memory_survives", positions_are_written_without_their_fills, "fills are not put on record"
    ),
    "pursuits_are_not_saved": Bug("memory_survives", pursuits_are_not_saved, "targets are not remembered"),
    "working_orders_are_not_restored": Bug(
        "memory_survives", working_orders_are_not_restored, "a restart forgets the working orders"
    ),
    "guards_begin_anew": Bug("memory_survives", guards_begin_anew, "a restart forgets peak, day and losses"),
}
