"""Bybit, as ccxt 4.5.90 reads it, whose comments quote its messages, 2026-11; and what its client leaves out."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import ccxt

from app.domain.order import TriggerPrice
from app.exchanges.ccxt.guarded import Guarded
from app.exchanges.ccxt.venues.venue import Payload, Venue, field, no_validity, plain_ids

LISTS = ("position/list", "order/realtime", "order/history", "execution/list", "account/wallet-balance")
"""Questions whose answer has a list; ccxt makes an empty account of one without."""


class GuardedBybit(Guarded):
    """Asks for orders, and cancels them, by our own ids."""

    def describe(self) -> Any:  # noqa: ANN401 - ccxt's description
        """Return ccxt's description of the venue, with its linear contracts alone."""
        described = super().describe()  # type: ignore[misc] # the venue's class
        described["options"]["fetchMarkets"] = {"types": ["linear"]}
        return described

    def says_nothing(self, method: str, url: str, answer: Any, asked: Any) -> bool:  # noqa: ANN401 - a venue's JSON
        """Whether ccxt would take an answer for an empty account that is none."""
        if any(name in url for name in LISTS):
            return not isinstance(answer, Mapping) or "list" not in (answer.get("result") or {})
        return super().says_nothing(method, url, answer, asked)

    async def fetch_order(self, number: str | None, symbol: str, params: Any = None) -> Any:  # noqa: ANN401 - ccxt's
        """Return an order by the venue's id or by ours: among the working and the latest, and then in history.

        Raises:
            ccxt.OrderNotFound: It is in neither.
        """
        market = self.market(symbol)  # type: ignore[attr-defined] # ccxt's
        name = {"orderLinkId": params["clientOrderId"]} if number is None else {"orderId": number}
        asked = {"category": "linear", "symbol": market["id"], **name}
        for ask in (self.privateGetV5OrderRealtime, self.privateGetV5OrderHistory):  # type: ignore[attr-defined] # ccxt's
            rows = (await ask(asked))["result"]["list"]
            if rows:
                return self.parse_order(rows[0], market)  # type: ignore[attr-defined] # ccxt's
        raise ccxt.OrderNotFound(f"{name} is not known")

    async def cancel_order(self, number: str | None, symbol: str, params: Mapping[str, Any]) -> Any:  # noqa: ANN401 - ccxt's
        """Cancel an order by the venue's id or by ours."""
        name = {} if number is not None else {"orderLinkId": params["clientOrderId"]}
        return await super().cancel_order(number, symbol, name)  # type: ignore[misc] # the venue's class


def _wallet(info: Payload, currency: str) -> Decimal:
    for account in field(info, "result", "list"):
        for coin in field(account, "coin"):
            if coin.get("coin") == currency:
                return Decimal(field(coin, "walletBalance"))
    return Decimal(0)


VENUE = Venue(
    name="bybit",
    is_proven=False,
    guard=GuardedBybit,
    ids=plain_ids,
    wallet_balance=_wallet,
    credentials=("api_key", "secret"),
    trade_client_id=("orderLinkId",),
    trade_fee="execFee",
    validity=no_validity,  # its window is an option of the client, not of a request
    refuses_late_orders=True,
    trigger_by=("triggerBy", {TriggerPrice.MARK: "MarkPrice", TriggerPrice.LAST: "LastPrice"}),
    triggered=("orderStatus", "Triggered"),
    marks_in_tickers=True,
    is_liquidation=lambda trade, _: trade.get("execType") in {"BustTrade", "AdlTrade"},
    funding_sign=-1,
    duplicate_codes=("110072",),
    already_set_codes=("110026", "110043"),
    candles_max=200,
)
