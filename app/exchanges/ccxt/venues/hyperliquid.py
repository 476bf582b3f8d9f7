"""Hyperliquid's perpetuals, as ccxt 4.5.90 reads them, 2026-11."""

from collections.abc import Awaitable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from app.domain.order import TimeInForce, TriggerPrice
from app.exchanges.ccxt.client_ids import HexIds
from app.exchanges.ccxt.venues.hyperliquid_client import GuardedHyperliquid
from app.exchanges.ccxt.venues.venue import AccountTold, Payload, Rights, UnreadableAnswer, Venue, field, no_validity
from app.ports.examination import Finding, Verdict


def _wallet(info: Payload, currency: str) -> Decimal:
    del currency
    if "balances" in info:
        raise UnreadableAnswer("the account is a unified one: switch it to a perpetuals account of its own")
    value = Decimal(field(info, "marginSummary", "accountValue"))
    return value - sum(
        (Decimal(field(held, "position", "unrealizedPnl")) for held in field(info, "assetPositions")), Decimal(0)
    )


def _told(info: Payload, currency: str) -> AccountTold:
    held = [field(item, "position") for item in field(info, "assetPositions")]
    return AccountTold(
        time_ms=field(info, "time"),
        balance=_wallet(info, currency),
        contracts={item["coin"]: Decimal(item["szi"]) for item in held},
        is_whole=True,
    )


def _terms(info: Payload) -> tuple[Decimal, Decimal]:
    return Decimal(field(info, "delta", "fundingRate")), Decimal(field(info, "delta", "szi"))


def _ask_role(client: Any) -> Awaitable[Any]:  # noqa: ANN401 - ccxt has no types
    signer = client.eth_get_address_from_private_key(client.privateKey)
    asked: Awaitable[Any] = client.publicPostInfo({"type": "userRole", "user": signer})
    return asked


def _rights(client: Any, role: Mapping[str, Any]) -> tuple[Finding, ...]:  # noqa: ANN401 - as above
    """Return what an agent may: trade for the account that approved it, and never withdraw."""
    wallet = client.walletAddress.lower()
    if role["role"] == "agent" and role["data"]["user"].lower() == wallet:
        return (
            Finding("trading", Verdict.OK, "the private key is an agent's of the account"),
            Finding("withdrawals", Verdict.OK, "an agent cannot withdraw"),
        )
    if client.eth_get_address_from_private_key(client.privateKey).lower() == wallet:
        return (
            Finding("trading", Verdict.OK, "the private key is the account's own"),
            Finding("withdrawals", Verdict.FAILED, "the account's own key can withdraw", "make an agent, and use its"),
        )
    return (
        Finding("trading", Verdict.FAILED, "the private key is no agent's of the account", "approve it, or give its"),
    )


VENUE = Venue(
    name="hyperliquid",
    is_proven=True,
    guard=GuardedHyperliquid,
    ids=partial(HexIds, prefix="0x"),
    wallet_balance=_wallet,
    account_told=_told,
    name_key="baseName",
    credentials=("wallet_address", "private_key"),
    trade_client_id=("cloid",),
    trade_fee="fee",
    validity=no_validity,  # its client signs it: expiresAfter
    refuses_late_orders=True,
    market_needs_price=True,
    times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC}),
    trigger_by=("", {TriggerPrice.MARK: ""}),
    triggered=("status", "triggered"),
    mode_with_leverage=True,
    marks_in_tickers=True,
    is_liquidation=lambda trade, _: trade.get("liquidation") is not None,
    funding_terms=_terms,
    tick_follows_price=True,
    funding_interval_s=3600,
    one_way_only=True,
    rights=Rights(_ask_role, _rights),
)
