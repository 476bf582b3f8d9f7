"""What an adapter must know of a venue beyond what ccxt unifies."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from app.domain.order import TimeInForce, TriggerPrice
from app.exchanges.ccxt.client_ids import ClientIds, PlainIds
from app.exchanges.ccxt.guarded import Guarded
from app.ports.examination import Finding

Payload = Mapping[str, Any]


class UnreadableAnswer(Exception):
    """A field that must be there is not."""


class Rights(msgspec.Struct, frozen=True):
    """How a venue is asked what the keys may do."""

    ask: Callable[[Any], Awaitable[Any]]
    """Given a client of ccxt."""
    read: Callable[[Any, Payload], tuple[Finding, ...]]
    """Says what the answer means, given the client and it."""


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
    guard: type[Guarded] = Guarded
    """Stands before ccxt's own class of the venue."""
    demo_by: str = "set_sandbox_mode"
    """Method of ccxt's client that turns it to the demo network."""
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
    trades_from: str | None = None
    """Parameter by which own trades are asked for from an id on, which is a number and grows with each; None where they
    go by time alone."""
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
    quote_number: str | None = None
    """Key of the number of a raw quote, which grows with each; None where quotes have times alone."""
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
    """Whether the tick is coarser at a higher price: the one that was read at the start does not hold for ever."""
    one_way_only: bool = False
    """Whether it has no hedge mode at all."""
    candles_max: int = 500
    """In one answer."""
    told_became: str = ""
    """Key of a raw order, as it is told, of the id of what a conditional one has become, where that is another."""
    read_became: str = ""
    """The same, as it is read."""
    reason_key: str = ""
    """Key of a raw order of why it ended."""
    rights: Rights | None = None
    """None where the venue does not say what keys may do."""
    dead_man: Callable[[Any, str, int], Awaitable[Any]] | None = None
    """Has the venue cancel what rests, of a symbol, when it does not hear from us for so many milliseconds; 0 is never.
    Given a client of ccxt."""

    def number_of_quote(self, ticker: Payload) -> int | None:
        """Return the number of a quote of ccxt; None where it has none."""
        raw = None if self.quote_number is None else (ticker.get("info") or {}).get(self.quote_number)
        return None if raw is None else int(raw)


def field(payload: Payload, *path: str) -> Any:  # noqa: ANN401 - a venue's JSON
    """Return what is at a path of an answer.

    Raises:
        UnreadableAnswer: Nothing is.
    """
    found: Any = payload
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            raise UnreadableAnswer(f"no {'.'.join(path)} in the answer")
        found = found[key]
    return found


def plain_ids(account_id: str) -> ClientIds:
    """Return the translator for a venue that takes our ids as they are."""
    del account_id
    return PlainIds()


def no_validity(milliseconds: int) -> Mapping[str, Any]:
    """Return no parameters: how long a request is valid is not said in each."""
    del milliseconds
    return {}
