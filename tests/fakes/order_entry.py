"""An exchange that only listens."""

from app.domain.order import Order


class FakeOrderEntry:
    """Keeps what it was asked for, in order: ``submitted``, ``canceled`` and ``configured``."""

    def __init__(self) -> None:
        self.submitted: list[Order] = []
        self.canceled: list[tuple[str, str]] = []
        self.configured: list[tuple] = []

    def submit(self, order: Order) -> None:
        self.submitted.append(order)

    def cancel(self, order: Order, reason: str) -> None:
        self.canceled.append((order.client_order_id, reason))

    async def configure(self, symbol, margin_mode, leverage) -> None:
        self.configured.append((symbol, margin_mode, leverage))
