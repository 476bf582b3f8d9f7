"""An account of the whole bot at an exchange that tells what a test says."""

from app.domain.events import OrderAccepted, OrderCanceled, OrderRejected
from app.domain.order import Purpose
from tests.builders import BTC, START_NS, fill
from tests.settling import settle


class Account:
    """What happens to the account, told in short."""

    def __init__(self, bot, exchange, container):
        self.bot, self.exchange, self.facts = bot, exchange, container.registry.context.facts
        self._trading_state = container.registry.context.trading_state

    @property
    def trading(self):
        return self._trading_state.current

    @property
    def stops(self):
        return [each for each in self.exchange.submitted if each.purpose is Purpose.STOP_LOSS]

    @property
    def exits(self):
        return [each for each in self.exchange.submitted if each.purpose is Purpose.EXIT]

    async def health(self):
        return await self.bot.execution.health_check()

    async def tell(self, *events):
        self.exchange.tell(*events)
        await settle()

    async def fill(self, order, trade_id, price="100", contracts=None):
        size = order.contracts if contracts is None else contracts
        await self.tell(fill(trade_id, order.side, size, price, "0", client_order_id=order.client_order_id))

    async def accept(self, order):
        await self.tell(OrderAccepted(order.client_order_id, "v", BTC, START_NS))

    async def refuse(self, order):
        await self.tell(OrderRejected(order.client_order_id, BTC, START_NS, "not now"))

    async def lose(self, order):
        await self.tell(OrderRejected(order.client_order_id, BTC, START_NS, "never received", was_refused=False))

    async def drop(self, order):
        await self.tell(OrderCanceled(order.client_order_id, BTC, START_NS, "by the venue"))
