"""From ccxt's dicts of the market and the account to the domain. Pure and total.

The client is opened with ``number=str``: what ccxt parses out of a venue's JSON is the venue's own text, exactly.
Candles are the exception (ccxt reads them as floats); ``str`` of a float gives back the digits that it was read from.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from app.domain.errors import InvalidInstrument
from app.domain.events import AccountSeen, Fill, FundingPaid, Liquidity
from app.domain.instrument import Instrument, MarginTier
from app.domain.market import MS_NS, SECOND_NS, Bar, FundingRate, MarkPrice, Quote
from app.domain.money import ONE, ZERO, to_ledger
from app.domain.order import Side
from app.domain.position import Position
from app.exchanges.ccxt.client_ids import ClientIds
from app.exchanges.ccxt.fields import number, number_or, text, time_ns
from app.exchanges.ccxt.venues import AccountTold, Payload, UnreadableAnswer, Venue

CONTRACTS_MAX = Decimal(1_000_000_000)
"""Where a venue names no bound."""
TIERLESS = (MarginTier(None, Decimal(20), Decimal("0.025")),)
"""Where the margin table cannot be read (paper has no keys): stricter than the first tiers of any venue here."""


# -- instruments -------------------------------------------------------------------------------------------------


def instrument_from(market: Payload, tiers: Sequence[Payload], venue: Venue) -> Instrument:
    """Return the instrument of a market of ccxt; its steps are sizes, not digits (``precisionMode`` TICK_SIZE).

    Raises:
        UnreadableAnswer: A term is missing, or is one that nothing could be traded by.
    """
    try:
        return _instrument(market, tiers, venue)
    except InvalidInstrument as error:
        raise UnreadableAnswer(str(error)) from None


def _instrument(market: Payload, tiers: Sequence[Payload], venue: Venue) -> Instrument:
    limits = market["limits"]
    amount, cost = limits["amount"], limits.get("cost") or {}
    lot = number(market["precision"]["amount"], "precision.amount")
    most = [CONTRACTS_MAX]
    for bound in (amount.get("max"), (limits.get("market") or {}).get("max")):
        largest = number_or(bound, ZERO, "limits.max")
        most += [largest] if largest else []
    info = market.get("info") or {}
    return Instrument(
        symbol=market["symbol"],
        base=market["base"],
        quote=market["quote"],
        settle=market["settle"],
        tick_size=number(market["precision"]["price"], "precision.price"),
        lot_size=lot,
        contract_size=number_or(market.get("contractSize"), ONE, "contractSize"),
        contracts_min=number_or(amount.get("min"), lot, "limits.amount.min"),
        contracts_max=min(most),
        notional_min=number_or(cost.get("min"), ZERO, "limits.cost.min"),
        maker_fee_rate=number_or(market.get("maker"), ZERO, "maker"),
        taker_fee_rate=number_or(market.get("taker"), ZERO, "taker"),
        margin_tiers=_tiers(tiers),
        liquidation_fee_rate=number_or(info.get("liquidationFee"), Decimal("0.0125"), "liquidationFee"),
        funding_interval_s=venue.funding_interval_s,
        is_listed=is_active(market),
    )


def is_active(market: Payload) -> bool:
    """Whether a market of ccxt is traded; venues keep some that are not any more."""
    return market.get("active") is not False


def _tiers(tiers: Sequence[Payload]) -> tuple[MarginTier, ...]:
    """Return margin tiers whose deductions keep the maintenance margin continuous over the edges."""
    made: list[MarginTier] = []
    deduction = rate_before = edge = ZERO
    for tier in tiers:
        rate = number(tier["maintenanceMarginRate"], "maintenanceMarginRate")
        deduction += edge * (rate - rate_before) if made else ZERO
        most = tier["maxNotional"]
        edge, rate_before = number_or(most, ZERO, "maxNotional"), rate
        leverage = number(tier["maxLeverage"], "maxLeverage")
        made.append(MarginTier(None if most is None else edge, leverage, rate, to_ledger(deduction)))
    return tuple(made) or TIERLESS


# -- the market --------------------------------------------------------------------------------------------------


def bar_from(symbol: str, interval_s: int, row: Sequence[object]) -> Bar:
    """Return a candle of ccxt: opening time in milliseconds, open, high, low, close, volume in contracts."""
    opened_ns = int(number(row[0], "time")) * MS_NS
    prices = [number(value, "candle") for value in row[1:6]]
    return Bar(symbol, opened_ns + interval_s * SECOND_NS, interval_s, *prices)


def quote_from(ticker: Payload, now_ns: int) -> Quote | None:
    """Return the top of the book; None when a side of it is empty."""
    if ticker.get("bid") is None or ticker.get("ask") is None:
        return None
    return Quote(
        text(ticker, "symbol"),
        time_ns(ticker, default=now_ns),
        number(ticker["bid"], "bid"),
        number_or(ticker.get("bidVolume"), ZERO, "bidVolume"),
        number(ticker["ask"], "ask"),
        number_or(ticker.get("askVolume"), ZERO, "askVolume"),
    )


def top_of(book: Payload) -> Payload:
    """Return the top of an order book in the form of a ticker."""
    bid, ask = (book[side][0] if book[side] else (None, None) for side in ("bids", "asks"))
    return {
        "symbol": book["symbol"],
        "timestamp": book.get("timestamp"),
        "bid": bid[0],
        "bidVolume": bid[1],
        "ask": ask[0],
        "askVolume": ask[1],
    }


def mark_from(payload: Payload, now_ns: int) -> MarkPrice | None:
    """Return the mark price of a ticker or of a funding rate; None when there is none in it."""
    price = payload.get("markPrice")
    if price is None:
        return None
    return MarkPrice(text(payload, "symbol"), time_ns(payload, default=now_ns), number(price, "markPrice"))


def funding_rate_from(payload: Payload, now_ns: int) -> FundingRate | None:
    """Return the coming funding rate; None when the venue names no rate, or no time."""
    settles, rate = payload.get("fundingTimestamp"), payload.get("fundingRate")
    if settles is None or rate is None:
        return None
    return FundingRate(text(payload, "symbol"), now_ns, number(rate, "fundingRate"), int(settles) * MS_NS)


def settlement_from(payload: Payload) -> tuple[int, float]:
    """Return when funding was settled, UTC nanoseconds, and at which rate.

    Venues stamp settlements some milliseconds late; they fall on whole seconds.
    """
    settled_ns = round(time_ns(payload) / SECOND_NS) * SECOND_NS
    return settled_ns, float(number(payload.get("fundingRate"), "fundingRate"))


class SettledRate(NamedTuple):
    """What funding was settled by; zero is what the venue does not say."""

    second: int
    """UTC."""
    rate: Decimal
    mark_price: Decimal


def settled_rate_from(payload: Payload) -> SettledRate:
    """Return a row of ccxt's funding rate history."""
    return SettledRate(
        round(time_ns(payload) / SECOND_NS),
        number_or(payload.get("fundingRate"), ZERO, "fundingRate"),
        number_or((payload.get("info") or {}).get("markPrice"), ZERO, "markPrice"),
    )


# -- the account -------------------------------------------------------------------------------------------------


def trade_client_id(trade: Payload, venue: Venue, ids: ClientIds) -> str | None:
    """Return the client order id that a private trade names; None when it names none."""
    info = trade.get("info") or {}
    raw = next((info[key] for key in venue.trade_client_id if info.get(key)), None)
    return None if raw is None else ids.from_venue(str(raw))


def fill_from(trade: Payload, client_order_id: str | None, venue: Venue, currency: str) -> Fill:
    """Return a private trade. Venues number trades by symbol, so the symbol is part of its identity.

    Raises:
        UnreadableAnswer: A field is missing; a fee that was charged, and that the library lost, among them.
    """
    fee = trade.get("fee") or {}
    if fee.get("cost") is None and (trade.get("info") or {}).get(venue.trade_fee) is not None:
        raise UnreadableAnswer("a fee was charged, and cannot be read")
    symbol = text(trade, "symbol")
    return Fill(
        trade_id=f"{symbol}#{text(trade, 'id')}",
        client_order_id=client_order_id,
        venue_order_id=text(trade, "order"),
        symbol=symbol,
        side=Side(text(trade, "side")),
        contracts=number(trade.get("amount"), "amount"),
        price=number(trade.get("price"), "price"),
        fee=number_or(fee.get("cost"), ZERO, "fee"),
        fee_currency=str(fee.get("currency") or currency),
        liquidity=Liquidity.MAKER if trade.get("takerOrMaker") == "maker" else Liquidity.TAKER,
        time_ns=time_ns(trade),
        liquidation=venue.is_liquidation(trade.get("info") or {}, client_order_id or ""),
    )


def position_from(payload: Payload, instrument: Instrument) -> Position | None:
    """Return a position; None when it is flat.

    Raises:
        UnreadableAnswer: It does not say how large it is.
    """
    size = number(payload.get("contracts"), "contracts")
    if not size:
        return None
    contracts = -abs(size) if payload.get("side") == "short" else abs(size)
    entry = number(payload.get("entryPrice"), "entryPrice")
    isolated = payload.get("marginMode") == "isolated"
    margin = number_or(payload.get("collateral"), ZERO, "collateral") if isolated else None
    return Position(instrument.symbol, contracts, to_ledger(instrument.value(contracts, entry)), margin)


def account_seen(told: AccountTold, symbols: Mapping[str, str]) -> AccountSeen:
    """Return what a stream says of the account.

    Args:
        told: In the venue's names.
        symbols: Ours, by the venue's; what is not here is not ours to look at.
    """
    flat = dict.fromkeys(symbols.values(), ZERO) if told.is_whole else {}
    held = {symbols[name]: contracts for name, contracts in told.contracts.items() if name in symbols}
    return AccountSeen(time_ns=told.time_ms * MS_NS, balance=told.balance, contracts=flat | held)


def funding_paid_from(
    payload: Payload, rates: Mapping[int, SettledRate], instrument: Instrument, venue: Venue
) -> FundingPaid:
    """Return a settlement, with rate and mark of its moment where the venue tells them.

    Settlements are stamped some milliseconds late, and by each endpoint differently: the second is their identity.

    Args:
        payload: Of ccxt's funding history.
        rates: By their times in whole seconds.
        instrument: What was held.
        venue: Where.
    """
    second = round(time_ns(payload) / SECOND_NS)
    amount = venue.funding_sign * number(payload.get("amount"), "amount")
    _, rate, mark = rates.get(second, (second, ZERO, ZERO))
    value = rate * mark * instrument.contract_size
    contracts = (-amount / value / instrument.lot_size).quantize(ONE) * instrument.lot_size if value else ZERO
    if venue.funding_terms is not None:
        rate, contracts = venue.funding_terms(payload.get("info") or {})
    return FundingPaid(
        symbol=instrument.symbol,
        time_ns=second * SECOND_NS,
        amount=amount,
        currency=str(payload.get("code") or instrument.settle),
        rate=rate,
        mark_price=mark,
        contracts=contracts,
        mark_known=bool(value),
    )
