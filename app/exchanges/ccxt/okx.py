"""What ccxt's client of okx gets wrong. Stands before ccxt's own class.

Read in ccxt 4.5.90, whose comments quote the venue's own messages, 2026-11.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.exchanges.ccxt.guarded import Guarded


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
