"""What is particular to each venue, as one table.

Read in the sources of ccxt 4.5.90, 2026-11. ``binanceusdm`` and ``hyperliquid`` are proven against a loopback venue
that speaks their protocols; the others need ``exchange.ccxt.experimental``.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from app.domain.order import TimeInForce, TriggerPrice
from app.exchanges.ccxt.client_ids import ClientIds, HexIds, PlainIds

Payload = Mapping[str, Any]


class UnreadableAnswer(Exception):
    """A field that must be there is not."""


class AccountTold(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue's stream says of the account, in the venue's own names."""

    time_ms: int
    balance: Decimal | None
    contracts: Mapping[str, Decimal]
    """Signed sizes by the venue's names of what is held."""
    is_whole: bool
    """Whether what is not named is flat; else nothing is said of it."""


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter must know of a venue beyond what ccxt unifies."""

    name: str
    is_proven: bool
    ids: Callable[[str], ClientIds]
    """Makes the translator of client order ids, given the account's id."""
    wallet_balance: Callable[[Payload, str], Decimal]
    """Reads the balance without unrealized PnL, of a currency, out of ``info`` of ccxt's balance."""
    account_told: Callable[[Payload, str], AccountTold] | None = None
    """Reads what the stream of the balance says, of a currency, out of ``info``; none where it does not say enough."""
    name_key: str = "id"
    """Key of a market of ccxt under which the venue itself names it."""
    credentials: tuple[str, ...]
    """The settings that must be given: keys of ``exchange.ccxt``."""
    trade_client_id: tuple[str, ...]
    """Keys of the client order id in a raw private trade, told or read."""
    trade_fee: str
    """Key of the fee in it; a trade without the key was free."""
    validity: Callable[[int], Mapping[str, Any]]
    """Parameters by which a request is not valid for longer than so many milliseconds."""
    refuses_late_orders: bool
    """Whether the venue is known to refuse an order that arrives after that time."""
    conditional_apart: bool = False
    """Whether conditional orders are asked for and canceled at an endpoint of their own."""
    holds_conditional: bool = True
    market_needs_price: bool = False
    """Whether a market order needs a price that it may not pass."""
    times_in_force: frozenset[TimeInForce] = frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK})
    trigger_by: tuple[str, Mapping[TriggerPrice, str]]
    """Parameter by which a conditional order says which price it watches, and the prices that it may watch."""
    triggered: tuple[str, str] | None = None
    """Key and value by which a raw order says that it was triggered, where it keeps its id."""
    mode_with_leverage: bool = False
    """Whether margin mode and leverage are one request."""
    marks_in_tickers: bool = False
    """Whether the stream of tickers has mark prices, and no stream has them alone."""
    is_liquidation: Callable[[Payload, str], bool] = lambda trade, client_order_id: False  # noqa: ARG005 - unknown
    """Whether a raw private trade, of an order of that name, was forced by the venue."""
    funding_sign: int = 1
    """Of what ccxt gives as the amount of a settlement: 1 where positive is received."""
    funding_terms: Callable[[Payload], tuple[Decimal, Decimal]] | None = None
    """Reads rate and signed contracts out of a raw settlement; none where it does not have them."""
    duplicate_codes: tuple[str, ...] = ()
    """What the venue says when a client order id is in use: the order before it exists, then."""
    already_set_codes: tuple[str, ...] = ()
    """What the venue says when margin mode or leverage is what it is to become."""
    funding_interval_s: int = 28_800
    tick_follows_price: bool = False
    """Whether the tick is coarser at a higher price, so that the one that was read at the start may become too fine."""
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


def _binance_told(info: Payload, currency: str) -> AccountTold:
    balances = {told["a"]: Decimal(told["wb"]) for told in _field(info, "a", "B")}
    # Only what has changed is told.
    contracts = {told["s"]: Decimal(told["pa"]) for told in _field(info, "a", "P")}
    return AccountTold(time_ms=_field(info, "T"), balance=balances.get(currency), contracts=contracts, is_whole=False)


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
    if "balances" in info:
        raise UnreadableAnswer("the account is a unified one: switch it to a perpetuals account of its own")
    value = Decimal(_field(info, "marginSummary", "accountValue"))
    return value - sum(
        (Decimal(_field(held, "position", "unrealizedPnl")) for held in _field(info, "assetPositions")), Decimal(0)
    )


def _hyperliquid_told(info: Payload, currency: str) -> AccountTold:
    held = [_field(item, "position") for item in _field(info, "assetPositions")]
    return AccountTold(
        time_ms=_field(info, "time"),
        balance=_hyperliquid_wallet(info, currency),
        contracts={item["coin"]: Decimal(item["szi"]) for item in held},
        is_whole=True,
    )


def _kraken_wallet(info: Payload, currency: str) -> Decimal:
    return Decimal(str(_field(info, "accounts", "flex", "currencies", currency, "quantity")))


def _hyperliquid_terms(info: Payload) -> tuple[Decimal, Decimal]:
    return Decimal(_field(info, "delta", "fundingRate")), Decimal(_field(info, "delta", "szi"))


def _plain(account_id: str) -> ClientIds:
    del account_id
    return PlainIds()


def _nothing(milliseconds: int) -> Mapping[str, Any]:
    del milliseconds
    return {}


def _receive_window(milliseconds: int) -> Mapping[str, Any]:
    return {"recvWindow": milliseconds}


_OKX_FORCED = frozenset(
    {"partial_liquidation", "full_liquidation", "adl"} | {str(kind) for kind in (*range(100, 108), *range(125, 129))}
)
"""Of its streams the category, of its answers the kind of a fill that was forced."""

VENUES: Mapping[str, Venue] = {
    venue.name: venue
    for venue in (
        Venue(
            name="binanceusdm",
            is_proven=True,
            ids=_plain,
            wallet_balance=_binance_wallet,
            account_told=_binance_told,
            credentials=("api_key", "secret"),
            trade_client_id=("c",),
            trade_fee="n",
            validity=_receive_window,
            refuses_late_orders=True,
            conditional_apart=True,  # the "algo" service, since 2025-12
            trigger_by=("workingType", {TriggerPrice.MARK: "MARK_PRICE", TriggerPrice.LAST: "CONTRACT_PRICE"}),
            duplicate_codes=("-4116", "-4111"),
            already_set_codes=("-4046",),
            is_liquidation=lambda _, client_order_id: client_order_id.startswith(("autoclose-", "adl_autoclose")),
            dead_man=True,
        ),
        Venue(
            name="bybit",
            is_proven=False,
            ids=_plain,
            wallet_balance=_bybit_wallet,
            credentials=("api_key", "secret"),
            trade_client_id=("orderLinkId",),
            trade_fee="execFee",
            validity=_nothing,  # its window is an option of the client, not of a request
            refuses_late_orders=True,
            trigger_by=("triggerBy", {TriggerPrice.MARK: "MarkPrice", TriggerPrice.LAST: "LastPrice"}),
            triggered=("orderStatus", "Triggered"),
            marks_in_tickers=True,
            is_liquidation=lambda trade, _: trade.get("execType") in {"BustTrade", "AdlTrade"},
            funding_sign=-1,
            duplicate_codes=("110072",),
            already_set_codes=("110026", "110043"),
        ),
        Venue(
            name="okx",
            is_proven=False,
            ids=partial(HexIds, prefix=""),
            wallet_balance=_okx_wallet,
            credentials=("api_key", "secret", "password"),
            trade_client_id=("clOrdId",),
            trade_fee="fee",
            validity=_nothing,
            refuses_late_orders=False,
            conditional_apart=True,
            holds_conditional=False,  # its algo orders take another id, and are not followed here
            trigger_by=("", {}),
            mode_with_leverage=True,
            is_liquidation=lambda trade, _: (
                trade.get("category") in _OKX_FORCED or str(trade.get("subType")) in _OKX_FORCED
            ),
            duplicate_codes=("51016",),
            already_set_codes=("59000",),
        ),
        Venue(
            name="hyperliquid",
            is_proven=True,
            ids=partial(HexIds, prefix="0x"),
            wallet_balance=_hyperliquid_wallet,
            account_told=_hyperliquid_told,
            name_key="baseName",
            credentials=("wallet_address", "private_key"),
            trade_client_id=("cloid",),
            trade_fee="fee",
            validity=_nothing,  # its client signs it: expiresAfter
            refuses_late_orders=True,
            market_needs_price=True,
            times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC}),
            trigger_by=("", {TriggerPrice.MARK: ""}),
            triggered=("status", "triggered"),
            mode_with_leverage=True,
            marks_in_tickers=True,
            is_liquidation=lambda trade, _: trade.get("liquidation") is not None,
            funding_terms=_hyperliquid_terms,
            tick_follows_price=True,
            funding_interval_s=3600,
            one_way_only=True,
        ),
        Venue(
            name="krakenfutures",
            is_proven=False,
            ids=_plain,
            wallet_balance=_kraken_wallet,
            credentials=("api_key", "secret"),
            trade_client_id=("cli_ord_id", "cliOrdId"),
            trade_fee="fee_paid",
            validity=_nothing,
            refuses_late_orders=False,
            mode_with_leverage=True,
            trigger_by=("triggerSignal", {TriggerPrice.MARK: "mark", TriggerPrice.LAST: "last"}),
            marks_in_tickers=True,
            is_liquidation=lambda trade, _: (
                (trade.get("fill_type") or trade.get("fillType")) in {"liquidation", "unwindBankrupt"}
            ),
            funding_interval_s=3600,
            one_way_only=True,
        ),
    )
}


def credentials_of(venue: str) -> tuple[str, ...]:
    """Return the settings that a venue needs, as keys of ``exchange.ccxt``."""
    return VENUES[venue].credentials
