"""Binance's USD-M futures, as ccxt 4.5.90 reads them, 2026-11."""

from collections.abc import Awaitable, Mapping
from decimal import Decimal
from typing import Any

from app.domain.order import TriggerPrice
from app.exchanges.ccxt.venues.venue import AccountTold, Payload, Rights, Venue, field, plain_ids
from app.ports.examination import Finding, Verdict


def _wallet(info: Payload, currency: str) -> Decimal:
    for asset in field(info, "assets"):
        if asset.get("asset") == currency:
            return Decimal(field(asset, "walletBalance"))
    return Decimal(0)


def _told(info: Payload, currency: str) -> AccountTold:
    balances = {told["a"]: Decimal(told["wb"]) for told in field(info, "a", "B")}
    # Only what has changed is told.
    contracts = {told["s"]: Decimal(told["pa"]) for told in field(info, "a", "P")}
    return AccountTold(time_ms=field(info, "T"), balance=balances.get(currency), contracts=contracts, is_whole=False)


def _receive_window(milliseconds: int) -> Mapping[str, Any]:
    return {"recvWindow": milliseconds}


def _cancel_after(client: Any, symbol: str, milliseconds: int) -> Awaitable[Any]:  # noqa: ANN401 - ccxt has no types
    asked: Awaitable[Any] = client.fapiPrivatePostCountdownCancelAll(
        {"symbol": client.market(symbol)["id"], "countdownTime": milliseconds}
    )
    return asked


def _rights(client: Any, rights: Mapping[str, Any]) -> tuple[Finding, ...]:  # noqa: ANN401 - ccxt has no types
    del client
    return (_right_to_trade(rights), _right_to_withdraw(rights), _bound_to_address(rights))


def _right_to_trade(rights: Mapping[str, Any]) -> Finding:
    if rights.get("enableFutures"):
        return Finding("trading", Verdict.OK, "the key may trade futures")
    return Finding("trading", Verdict.FAILED, "the key may not trade futures", "allow it in the key management")


def _right_to_withdraw(rights: Mapping[str, Any]) -> Finding:
    if rights.get("enableWithdrawals") is False:
        return Finding("withdrawals", Verdict.OK, "the key cannot withdraw")
    if rights.get("enableWithdrawals"):
        return Finding("withdrawals", Verdict.FAILED, "the key can withdraw", "make a key that cannot: no bot needs it")
    return Finding("withdrawals", Verdict.UNKNOWN, "the venue does not say", "see in its key management")


def _bound_to_address(rights: Mapping[str, Any]) -> Finding:
    if rights.get("ipRestrict"):
        return Finding("address", Verdict.OK, "the key works from known addresses only")
    return Finding("address", Verdict.WARNING, "the key works from everywhere", "bind it to this machine's address")


VENUE = Venue(
    name="binanceusdm",
    is_proven=True,
    demo_by="enable_demo_trading",
    ids=plain_ids,
    wallet_balance=_wallet,
    account_told=_told,
    credentials=("api_key", "secret"),
    trade_client_id=("c",),
    trades_from="fromId",  # and then no time may be given
    trade_fee="n",
    validity=_receive_window,
    refuses_late_orders=True,
    conditional_apart=True,  # the "algo" service, since 2025-12
    quote_number="u",
    trigger_by=("workingType", {TriggerPrice.MARK: "MARK_PRICE", TriggerPrice.LAST: "CONTRACT_PRICE"}),
    duplicate_codes=("-4116", "-4111"),
    already_set_codes=("-4046",),
    is_liquidation=lambda _, client_order_id: client_order_id.startswith(("autoclose-", "adl_autoclose")),
    told_became="ai",
    read_became="actualOrderId",
    reason_key="rm",
    rights=Rights(lambda client: client.sapiGetAccountApiRestrictions(), _rights),
    dead_man=_cancel_after,
)
