"""What is particular to each venue, as one table.

Read in the sources of ccxt 4.5.90 and in the venues' documentation, 2026-11. ``binanceusdm`` is proven against a
loopback venue that speaks its protocol; the others are not, and need ``exchange.ccxt.experimental``.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from app.exchanges.ccxt.client_ids import ClientIds, HexIds, PlainIds

Payload = Mapping[str, Any]


class UnreadableAnswer(Exception):
    """A field that must be there is not."""


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter must know of a venue beyond what ccxt unifies."""

    name: str
    is_proven: bool
    ids: Callable[[str], ClientIds]
    """Makes the translator of client order ids, given the account's id."""
    wallet_balance: Callable[[Payload, str], Decimal]
    """Reads the balance without unrealized PnL, of a currency, out of ``info`` of ccxt's balance."""
    credentials: tuple[str, ...]
    """The settings that must be given: keys of ``exchange.ccxt``."""
    trade_client_id: str
    """Key of the client order id in a raw private trade."""
    trade_fee: str
    """Key of the fee in it; a trade without the key was free."""
    validity: Callable[[int], Mapping[str, Any]]
    """Parameters by which a request is not valid for longer than so many milliseconds."""
    conditional_apart: bool = False
    """Whether conditional orders are asked for and canceled at an endpoint of their own."""
    holds_conditional: bool = True
    market_needs_price: bool = False
    """Whether a market order needs the price that a slippage bound is reckoned from."""
    duplicate_codes: tuple[str, ...] = ()
    """What the venue says when a client order id is in use: the order before it exists, then."""
    already_set_codes: tuple[str, ...] = ()
    """What the venue says when margin mode or leverage is what it is to become."""
    funding_interval_s: int = 28_800
    one_way_only: bool = False
    """Whether it has no hedge mode at all."""
    dead_man: bool = False
    """Whether the venue cancels everything when it does not hear from us."""


def _field(payload: Payload, *path: str) -> Any:  # noqa: ANN401 - a venue's JSON
    found: Any = payload
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            raise UnreadableAnswer(f"no {'.'.join(path)} in the answer")
        found = found[key]
    return found


def _binance_wallet(info: Payload, currency: str) -> Decimal:
    for asset in _field(info, "assets"):
        if asset.get("asset") == currency:
            return Decimal(_field(asset, "walletBalance"))
    return Decimal(0)


def _bybit_wallet(info: Payload, currency: str) -> Decimal:
    for account in _field(info, "result", "list"):
        for coin in _field(account, "coin"):
            if coin.get("coin") == currency:
                return Decimal(_field(coin, "walletBalance"))
    return Decimal(0)


def _okx_wallet(info: Payload, currency: str) -> Decimal:
    for account in _field(info, "data"):
        for detail in _field(account, "details"):
            if detail.get("ccy") == currency:
                return Decimal(_field(detail, "cashBal"))
    return Decimal(0)


def _hyperliquid_wallet(info: Payload, currency: str) -> Decimal:
    del currency
    value = Decimal(_field(info, "marginSummary", "accountValue"))
    return value - sum(
        (Decimal(_field(held, "position", "unrealizedPnl")) for held in info["assetPositions"]), Decimal(0)
    )


def _kraken_wallet(info: Payload, currency: str) -> Decimal:
    return Decimal(str(_field(info, "accounts", "flex", "currencies", currency, "quantity")))


def _plain(account_id: str) -> ClientIds:
    del account_id
    return PlainIds()


def _nothing(milliseconds: int) -> Mapping[str, Any]:
    del milliseconds
    return {}


def _receive_window(milliseconds: int) -> Mapping[str, Any]:
    return {"recvWindow": milliseconds}


VENUES: Mapping[str, Venue] = {
    venue.name: venue
    for venue in (
        Venue(
            name="binanceusdm",
            is_proven=True,
            ids=_plain,
            wallet_balance=_binance_wallet,
            credentials=("api_key", "secret"),
            trade_client_id="c",
            trade_fee="n",
            validity=_receive_window,
            conditional_apart=True,  # the "algo" service, since 2025-12
            duplicate_codes=("-4116", "-4111"),
            already_set_codes=("-4046",),
            dead_man=True,
        ),
        Venue(
            name="bybit",
            is_proven=False,
            ids=_plain,
            wallet_balance=_bybit_wallet,
            credentials=("api_key", "secret"),
            trade_client_id="orderLinkId",
            trade_fee="execFee",
            validity=_nothing,  # its window is an option of the client, not of a request
            duplicate_codes=("110072",),
            already_set_codes=("110026", "110043"),
        ),
        Venue(
            name="okx",
            is_proven=False,
            ids=partial(HexIds, prefix=""),
            wallet_balance=_okx_wallet,
            credentials=("api_key", "secret", "password"),
            trade_client_id="clOrdId",
            trade_fee="fee",
            validity=_nothing,
            conditional_apart=True,
            holds_conditional=False,  # its algo orders take another id, and are not followed here
            duplicate_codes=("51016",),
            already_set_codes=("59000",),
        ),
        Venue(
            name="hyperliquid",
            is_proven=False,
            ids=partial(HexIds, prefix="0x"),
            wallet_balance=_hyperliquid_wallet,
            credentials=("wallet_address", "private_key"),
            trade_client_id="cloid",
            trade_fee="fee",
            validity=_nothing,
            market_needs_price=True,
            funding_interval_s=3600,
            one_way_only=True,
        ),
        Venue(
            name="krakenfutures",
            is_proven=False,
            ids=_plain,
            wallet_balance=_kraken_wallet,
            credentials=("api_key", "secret"),
            trade_client_id="cli_ord_id",
            trade_fee="fee_paid",
            validity=_nothing,
            funding_interval_s=3600,
            one_way_only=True,
        ),
    )
}


def credentials_of(venue: str) -> tuple[str, ...]:
    """Return the settings that a venue needs, as keys of ``exchange.ccxt``."""
    return VENUES[venue].credentials
