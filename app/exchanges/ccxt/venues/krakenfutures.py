"""Kraken's futures, as ccxt 4.5.90 reads them, whose comments quote their messages, 2026-11; and what it leaves out."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import ccxt
from ccxt.async_support.base.ws.cache import ArrayCacheBySymbolById

from app.domain.order import TriggerPrice
from app.exchanges.ccxt.guarded import Guarded
from app.exchanges.ccxt.venues.venue import Payload, Venue, field, no_validity, plain_ids

FIELDS = {"/accounts": "accounts", "/openpositions": "openPositions", "/openorders": "openOrders", "/fills": "fills"}
"""What must be in an answer, by the end of the address; ccxt makes an empty account of one without."""


ORDERS_KEPT_MAX = 1000


class GuardedKrakenFutures(Guarded):
    """Asks for orders by our own ids, and takes no old fill for a new one."""

    orders: Any

    def says_nothing(self, method: str, url: str, answer: Any, asked: Any) -> bool:  # noqa: ANN401 - a venue's JSON
        """Whether ccxt would take an answer for an empty account that is none."""
        path = url.partition("?")[0]
        for end, name in FIELDS.items():
            if path.endswith(end):
                return not isinstance(answer, Mapping) or name not in answer
        return super().says_nothing(method, url, answer, asked)

    async def fetch_order(self, number: str | None, symbol: str, params: Any = None) -> Any:  # noqa: ANN401 - ccxt's
        """Return an order by the venue's id or by ours.

        Raises:
            ccxt.OrderNotFound: The venue does not know it.
        """
        asked = {"cliOrdIds": params["clientOrderId"]} if number is None else {"orderIds": number}
        orders = (await self.privateGetOrdersStatus(asked))["orders"]  # type: ignore[attr-defined] # ccxt's
        if not orders:
            raise ccxt.OrderNotFound(f"{asked} is not known")
        return self.parse_order(orders[0], self.market(symbol))  # type: ignore[attr-defined] # ccxt's

    async def set_leverage(self, leverage: int, symbol: str, params: Mapping[str, Any]) -> Any:  # noqa: ANN401 - ccxt's
        """Set the margin mode, and with isolated margin the leverage: with cross margin the venue has none to set."""
        named = {"symbol": self.market(symbol)["id"]}  # type: ignore[attr-defined] # ccxt's
        most = {"maxLeverage": leverage} if params["marginMode"] == "isolated" else {}
        return await self.privatePutLeveragepreferences(named | most)  # type: ignore[attr-defined] # as above

    def parse_order(self, order: Mapping[str, Any], market: Any = None) -> dict[str, Any]:  # noqa: ANN401 - ccxt's
        """Return an order with its price, which ccxt leaves out of working ones."""
        parsed: dict[str, Any] = super().parse_order(order, market)  # type: ignore[misc] # the venue's class
        return parsed if parsed["price"] is not None else parsed | {"price": order.get("limitPrice")}

    def handle_order(self, client: Any, message: Mapping[str, Any]) -> None:  # noqa: ANN401 - ccxt has no types
        """Take in how an order is; ccxt takes each message after the first for another fill, and drops our id."""
        if self.orders is None:
            self.orders = ArrayCacheBySymbolById(ORDERS_KEPT_MAX)
        told = message.get("order")
        if told is not None:
            parsed = self.parse_ws_order(told)  # type: ignore[attr-defined] # ccxt's
            order = parsed | {"status": "open", "clientOrderId": told.get("cli_ord_id")}
        else:
            known = next((item for item in self.orders if item["id"] == message.get("order_id")), None)
            if known is None or not message.get("is_cancel"):
                return
            is_full = message.get("reason") == "full_fill"
            order = known | ({"status": "closed", "filled": known["amount"]} if is_full else {"status": "canceled"})
        self.orders.append(order)
        client.resolve(self.orders, "orders")

    def handle_my_trades(self, client: Any, message: Mapping[str, Any]) -> None:  # noqa: ANN401 - ccxt has no types
        """Take in fills; not the old ones that come first: what was missed is asked for."""
        if message.get("feed") != "fills_snapshot":
            super().handle_my_trades(client, message)  # type: ignore[misc] # the venue's class


def _wallet(info: Payload, currency: str) -> Decimal:
    return Decimal(str(field(info, "accounts", "flex", "currencies", currency, "quantity")))


VENUE = Venue(
    name="krakenfutures",
    is_proven=False,
    guard=GuardedKrakenFutures,
    ids=plain_ids,
    wallet_balance=_wallet,
    credentials=("api_key", "secret"),
    trade_client_id=("cli_ord_id", "cliOrdId"),
    trade_fee="fee_paid",
    validity=no_validity,
    refuses_late_orders=False,
    mode_with_leverage=True,
    trigger_by=("triggerSignal", {TriggerPrice.MARK: "mark", TriggerPrice.LAST: "last"}),
    marks_in_tickers=True,
    is_liquidation=lambda trade, _: (
        (trade.get("fill_type") or trade.get("fillType")) in {"liquidation", "unwindBankrupt"}
    ),
    funding_interval_s=3600,
    one_way_only=True,
)
