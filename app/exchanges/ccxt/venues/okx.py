"""OKX, as ccxt 4.5.90 reads it, whose comments quote its messages, 2026-11; and what its client gets wrong."""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from app.exchanges.ccxt.client_ids import HexIds
from app.exchanges.ccxt.guarded import Guarded
from app.exchanges.ccxt.venues.venue import Payload, Venue, field, no_validity


class GuardedOkx(Guarded):
    """Reads fees alike, whether they are told or asked for."""

    def describe(self) -> Any:  # noqa: ANN401 - ccxt's description
        """Return ccxt's description of the venue, with its swaps alone."""
        described = super().describe()  # type: ignore[misc] # the venue's class
        described["options"]["fetchMarkets"] = {"types": ["swap"]}
        return described

    def order_to_trade(self, order: Mapping[str, Any], market: Any = None) -> dict[str, Any]:  # noqa: ANN401 - ccxt's
        """Return the fill that a message about an order tells; ccxt leaves its fee negative, as the venue has it."""
        trade: dict[str, Any] = super().order_to_trade(order, market)  # type: ignore[misc] # the venue's class
        fee = trade["fee"]
        return trade if fee["cost"] is None else trade | {"fee": fee | {"cost": str(-Decimal(fee["cost"]))}}


FORCED = frozenset(
    {"partial_liquidation", "full_liquidation", "adl"} | {str(kind) for kind in (*range(100, 108), *range(125, 129))}
)
"""Of its streams the category, of its answers the kind of a fill that was forced."""


def _wallet(info: Payload, currency: str) -> Decimal:
    for account in field(info, "data"):
        for detail in field(account, "details"):
            if detail.get("ccy") == currency:
                return Decimal(field(detail, "cashBal"))
    return Decimal(0)


VENUE = Venue(
    name="okx",
    is_proven=False,
    guard=GuardedOkx,
    ids=partial(HexIds, prefix=""),
    wallet_balance=_wallet,
    credentials=("api_key", "secret", "password"),
    trade_client_id=("clOrdId",),
    trade_fee="fee",
    validity=no_validity,
    refuses_late_orders=False,
    conditional_apart=True,
    holds_conditional=False,  # its algo orders take another id, and are not followed here
    trigger_by=("", {}),
    mode_with_leverage=True,
    is_liquidation=lambda trade, _: trade.get("category") in FORCED or str(trade.get("subType")) in FORCED,
    duplicate_codes=("51016",),
    already_set_codes=("59000",),
    candles_max=100,
)
