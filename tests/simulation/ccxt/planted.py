"""Bugs of the adapter that the seeds notice; each is planted by itself."""

import msgspec

from app.domain.events import OrderCanceled, OrderRejected
from app.domain.order import OrderStatus
from app.exchanges.ccxt import adapter as adapter_module
from app.exchanges.ccxt.account import CcxtAccount
from app.exchanges.ccxt.order_facts import OrderFacts
from app.exchanges.ccxt.outcome import Outcome


def fills_count_as_often_as_told(patch):
    original = OrderFacts.fill

    def fill(self, told):
        known = self._fills.pop(told.trade_id, 0) is None
        # Told again, it is another trade to whoever counts by its id.
        return original(self, msgspec.structs.replace(told, trade_id=f"{told.trade_id}+") if known else told)

    patch.setattr(OrderFacts, "fill", fill)


def a_time_out_is_a_refusal(patch):
    original = adapter_module.classify

    def classify(error, **given):
        outcome = original(error, **given)
        return Outcome.REJECTED if outcome is Outcome.UNKNOWN else outcome

    patch.setattr(adapter_module, "classify", classify)


def refusals_are_unknown_and_unknown_is_nothing(patch):
    original = adapter_module.CcxtExchange._ending

    def ending(self, order, error):
        ended = original(self, order, error)
        return ended if isinstance(ended, OrderRejected) else OrderCanceled(*_ids(ended), "no answer")

    patch.setattr(adapter_module.CcxtExchange, "_ending", ending)
    patch.setattr(OrderFacts, "end", lambda self, event: [event])


def conditional_orders_are_forgotten(patch):
    patch.setattr(CcxtAccount, "_doors", lambda self: (False,))


def the_answer_to_a_cancel_is_the_end(patch):
    async def cancel(self, order):
        why = await self._ask_to_cancel(order)
        if not why:
            self._put([OrderCanceled(order.client_order_id, order.symbol, self.now_ns, "asked")])

    patch.setattr(adapter_module.CcxtExchange, "_cancel", cancel)


def a_lost_cancel_is_the_end(patch):
    async def cancel(self, order):
        await self._ask_to_cancel(order)
        self._put([OrderCanceled(order.client_order_id, order.symbol, self.now_ns, "asked")])

    patch.setattr(adapter_module.CcxtExchange, "_cancel", cancel)


def a_broken_stream_is_nothing(patch):
    patch.setattr(adapter_module.CcxtExchange, "_reset_soon", lambda self, why: None)


def missing_fills_are_not_asked_for(patch):
    patch.setattr(OrderFacts, "lacks_fills", lambda self, client_order_id: False)


def ended_orders_come_back(patch):
    original = OrderFacts.see

    def see(self, seen):
        told = self._of(seen.client_order_id, seen.symbol)
        if seen.status is OrderStatus.OPEN:
            told.ended = told.accepted = False
        return original(self, seen)

    patch.setattr(OrderFacts, "see", see)


def _ids(event):
    return event.client_order_id, event.symbol, event.time_ns


PLANTED = {
    plant.__name__: plant
    for plant in (
        fills_count_as_often_as_told,
        a_time_out_is_a_refusal,
        conditional_orders_are_forgotten,
        a_lost_cancel_is_the_end,
        a_broken_stream_is_nothing,
        missing_fills_are_not_asked_for,
        ended_orders_come_back,
    )
}
