"""Bugs of the adapter that the seeds notice; each is planted by itself."""

from decimal import Decimal

import msgspec

from app.domain.events import OrderCanceled
from app.exchanges.ccxt import account as account_module
from app.exchanges.ccxt import sender as sender_module
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
    original = sender_module.classify

    def classify(error, **given):
        outcome = original(error, **given)
        return Outcome.REJECTED if outcome is Outcome.UNKNOWN else outcome

    patch.setattr(sender_module, "classify", classify)


def conditional_orders_are_forgotten(patch):
    patch.setattr(CcxtAccount, "_doors", lambda self: (False,))


def a_lost_cancel_is_the_end(patch):
    async def cancel(self, order):
        await self._ask_to_cancel(order)
        self._feed.put([OrderCanceled(order.client_order_id, order.symbol, self._session.now_ns, "asked")])

    patch.setattr(sender_module.OrderSender, "_cancel", cancel)


def fees_are_lost(patch):
    original = CcxtAccount.fill
    patch.setattr(
        CcxtAccount, "fill", lambda self, trade: msgspec.structs.replace(original(self, trade), fee=Decimal(0))
    )


def shorts_are_longs(patch):
    original = account_module.position_from

    def position_from(payload, instrument):
        return original({**payload, "side": "long"}, instrument)

    patch.setattr(account_module, "position_from", position_from)


PLANTED = {
    plant.__name__: plant
    for plant in (
        fills_count_as_often_as_told,
        a_time_out_is_a_refusal,
        conditional_orders_are_forgotten,
        a_lost_cancel_is_the_end,
        fees_are_lost,
        shorts_are_longs,
    )
}
