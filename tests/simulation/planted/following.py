"""Bugs in following orders, and in what is not known about them."""

import msgspec

from app.coordinators.bounded_account import BoundedAccount
from app.coordinators.execution import ExecutionCoordinator
from app.coordinators.reconciler import Reconciler
from app.domain.events import OrderAccepted, OrderCanceled, OrderRejected, OrderUnknown
from app.domain.money import ZERO
from app.domain.order import OrderStatus
from app.execution import OrderTracker
from app.ports.connection import ExchangeUnavailable
from tests.simulation.planted.bug import Bug, around


def works_again(tracker, tracked, status):
    tracker.restore([msgspec.structs.replace(tracked.record(), status=status)])


def a_late_acceptance_revives(patch):
    def apply(original, tracker, event):
        tracked = tracker.find(event.client_order_id)
        if isinstance(event, OrderAccepted) and tracked is not None and not tracked.is_working:
            works_again(tracker, tracked, OrderStatus.OPEN)
            return tracker.find(event.client_order_id)
        return original(tracker, event)

    around(patch, OrderTracker, "apply", apply)


def a_late_fill_revives(patch):
    def fill(original, tracker, told):
        before = tracker.find(told.client_order_id)
        ended = before is not None and not before.is_working
        tracked = original(tracker, told)
        if ended:
            works_again(tracker, tracked, OrderStatus.PARTIALLY_FILLED)
        return tracked

    around(patch, OrderTracker, "fill", fill)


def only_the_last_fill_counts(patch):
    def fill(original, tracker, told):
        tracked = tracker.find(told.client_order_id)
        if tracked is not None and tracked.is_working and told.contracts < tracked.filled:
            tracked.filled = ZERO
        return original(tracker, told)

    around(patch, OrderTracker, "fill", fill)


def a_cancel_asked_for_is_a_cancel_done(patch):
    from app.execution import SendPoint

    def cancel(original, point, tracked, reason):
        original(point, tracked, reason)
        if tracked.is_working:
            order = tracked.order
            point._books.tracker.apply(
                OrderCanceled(order.client_order_id, order.symbol, point._books.clock.now_ns, reason)
            )

    around(patch, SendPoint, "cancel", cancel)


def unknown_becomes(patch, made):
    def apply(original, tracker, event):
        return original(tracker, made(event) if isinstance(event, OrderUnknown) else event)

    around(patch, OrderTracker, "apply", apply)


def unknown_is_rejected(patch):
    unknown_becomes(patch, lambda told: OrderRejected(told.client_order_id, told.symbol, told.time_ns, told.reason))


def unknown_is_accepted(patch):
    unknown_becomes(patch, lambda told: OrderAccepted(told.client_order_id, "", told.symbol, told.time_ns))


async def nothing(*_):
    return None


def nobody_asks(patch):
    patch.setattr(Reconciler, "resolve_unknown", nothing)


def everybody_asks_once(patch):
    async def resolve(original, reconciler, symbol, client_order_id):
        asked = reconciler.__dict__.setdefault("asked", set())
        if client_order_id not in asked:
            asked.add(client_order_id)
            await original(reconciler, symbol, client_order_id)

    around(patch, Reconciler, "_resolve", resolve)


def absent_is_rejected_at_once(patch):
    patch.setattr(Reconciler, "_may_still_arrive", lambda reconciler, client_order_id: False)


def unreadable_orders_are_gone(patch):
    async def open_orders(original, account):
        try:
            return await original(account)
        except ExchangeUnavailable:
            return ()

    async def order(original, account, symbol, client_order_id):
        records = await account.open_orders()
        return next((r for r in records if r.order.client_order_id == client_order_id), None)

    around(patch, BoundedAccount, "open_orders", open_orders)
    around(patch, BoundedAccount, "order", order)
    patch.setattr(Reconciler, "_may_still_arrive", lambda reconciler, client_order_id: False)


def the_resolver_dies(patch):
    async def loop(execution):
        await execution.agreement.resolve()
        await nothing()
        await __import__("asyncio").sleep(10_000)

    patch.setattr(ExecutionCoordinator, "_resolve_loop", loop)


BUGS = {
    "a_late_acceptance_revives": Bug(
        "status_never_regresses", a_late_acceptance_revives, "canceled, then told to be accepted: works again"
    ),
    "a_late_fill_revives": Bug(
        "status_never_regresses", a_late_fill_revives, "a fill after its order's end makes the order work again"
    ),
    "only_the_last_fill_counts": Bug(
        "status_never_regresses", only_the_last_fill_counts, "what was filled is replaced instead of added to"
    ),
    "a_cancel_asked_for_is_a_cancel_done": Bug(
        "status_never_regresses", a_cancel_asked_for_is_a_cancel_done, "nobody waits for the venue to confirm"
    ),
    "unknown_is_rejected": Bug("unknown_is_resolved", unknown_is_rejected, "no answer is taken for a refusal"),
    "unknown_is_accepted": Bug("unknown_is_resolved", unknown_is_accepted, "no answer is taken for an acceptance"),
    "nobody_asks": Bug("unknown_is_resolved", nobody_asks, "orders of unknown outcome are never asked for"),
    "everybody_asks_once": Bug("unknown_is_resolved", everybody_asks_once, "they are asked for once"),
    "the_resolver_dies": Bug("unknown_is_resolved", the_resolver_dies, "whoever asks for them hangs"),
    "absent_is_rejected_at_once": Bug(
        "unknown_is_resolved", absent_is_rejected_at_once, "an order that is on its way is taken for rejected"
    ),
    "unreadable_orders_are_gone": Bug(
        "status_never_regresses", unreadable_orders_are_gone, "open orders that cannot be read are taken for none"
    ),
}
