"""What the keys may do, where a venue says it. Reads alone."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app.ports.examination import Finding, Verdict

Ask = Callable[[Any], Awaitable[Any]]
Read = Callable[[Any, Mapping[str, Any]], tuple[Finding, ...]]


def _binance(client: Any, rights: Mapping[str, Any]) -> tuple[Finding, ...]:  # noqa: ANN401 - ccxt has no types
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


def _ask_hyperliquid(client: Any) -> Awaitable[Any]:  # noqa: ANN401 - ccxt has no types
    signer = client.eth_get_address_from_private_key(client.privateKey)
    asked: Awaitable[Any] = client.publicPostInfo({"type": "userRole", "user": signer})
    return asked


def _hyperliquid(client: Any, role: Mapping[str, Any]) -> tuple[Finding, ...]:  # noqa: ANN401 - as above
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


RIGHTS: Mapping[str, tuple[Ask, Read]] = {
    "binanceusdm": (lambda client: client.sapiGetAccountApiRestrictions(), _binance),
    "hyperliquid": (_ask_hyperliquid, _hyperliquid),
}
"""How a venue is asked, and what its answer means."""
