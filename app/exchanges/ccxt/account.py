"""Reads the account at a venue. What cannot be read is an error, never an empty answer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any

import ccxt
import msgspec

from app.domain.events import AccountSeen, Fill, FundingPaid
from app.domain.instrument import Instrument
from app.domain.position import Position
from app.domain.records import OrderRecord
from app.exchanges.ccxt.client_ids import ClientIds
from app.exchanges.ccxt.kept import Kept, all_since
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.order_facts import OrderFacts
from app.exchanges.ccxt.orders import became, order_record, venue_params
from app.exchanges.ccxt.readable import readable
from app.exchanges.ccxt.translate import (
    SettledRate,
    account_seen,
    fill_from,
    funding_paid_from,
    position_from,
    settled_rate_from,
    trade_client_id,
)
from app.exchanges.ccxt.venues import AccountTold, Payload, Venue
from app.settings.models import AccountSettings

TRADES_MAX = 500
"""Asked for at once; some venues give fewer."""
SETTLED_MAX = 100
"""The same, of settlements."""


class CcxtAccount:
    """Implements ``AccountPort``."""

    def __init__(
        self,
        line: Line,
        venue: Venue,
        ids: ClientIds,
        facts: OrderFacts,
        account: AccountSettings,
        instruments: Mapping[str, Instrument],
        now_ns: Callable[[], int],
    ) -> None:
        self._client = line.client
        self._line = line
        self._venue = venue
        self._ids = ids
        self._facts = facts
        self._account = account
        self._now_ns = now_ns
        self.instruments = instruments
        """What is traded; the rest of the account is not ours to look at."""

    async def is_hedged(self, symbol: str | None) -> bool | None:
        """Whether a long and a short of one symbol are held apart; None when it cannot be told."""
        if self._venue.one_way_only:
            return False
        if not self._client.has.get("fetchPositionMode"):
            return None
        return await self._line.read(
            lambda: self._client.fetch_position_mode(symbol), lambda mode: bool(mode.get("hedged"))
        )

    async def margin_tiers(self, symbols: Sequence[str]) -> dict[str, Sequence[dict[str, Any]]]:
        """Return the account's margin tables, by symbol; empty ones where the venue tells none."""
        if not symbols or not self._client.has.get("fetchLeverageTiers"):
            return dict.fromkeys(symbols, ())
        tiers = await self._line.read(lambda: self._client.fetch_leverage_tiers(list(symbols)), dict)
        return {symbol: tiers.get(symbol, ()) for symbol in symbols}

    async def balance(self) -> Decimal:
        """Return the wallet balance, without unrealized PnL."""
        currency = self._account.currency
        return await self._line.read(
            self._client.fetch_balance, lambda said: self._venue.wallet_balance(said["info"], currency)
        )

    async def positions(self) -> tuple[Position, ...]:
        """Return all positions that are not flat, of the configured symbols."""
        return await self._line.read(
            lambda: self._client.fetch_positions(list(self.instruments)),
            lambda said: tuple(
                position
                for payload in said
                if (instrument := self.instruments.get(payload["symbol"])) is not None
                and (position := position_from(payload, instrument)) is not None
            ),
        )

    async def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return all working orders of the configured symbols, foreign ones included."""
        found: list[OrderRecord] = []
        for symbol in self.instruments:
            for conditional in self._doors():
                found += await self._line.read(
                    lambda symbol=symbol, door=conditional: self._client.fetch_open_orders(  # type: ignore[misc] # mypy and defaults
                        symbol, params=door_of(conditional=door)
                    ),
                    lambda said: [self.record(payload) for payload in said],
                )
        return tuple(found)

    async def order(self, symbol: str, client_order_id: str) -> OrderRecord | None:
        """Return one order, working or ended; None when the venue definitely does not know it."""
        known = self._facts.is_conditional(client_order_id)
        for conditional in self._doors() if known is None or not self._venue.conditional_apart else (known,):
            number, params = venue_params(client_order_id, self._ids)
            params |= door_of(conditional=conditional)
            try:
                payload = await self._line.read(
                    lambda number=number, params=params: self._client.fetch_order(number, symbol, params),  # type: ignore[misc] # as above
                    dict,
                )
                return await self._as_it_works(symbol, payload)
            except ccxt.OrderNotFound:
                continue
        return None

    async def fills_since(self, time_ns: int) -> tuple[Fill, ...]:
        """Return the fills at or after ``time_ns``, oldest first."""
        fills: list[Fill] = []
        for symbol in self.instruments:
            trades = await self._all_since(time_ns, self._trades(symbol))
            await self._learn_ids(symbol, trades)
            with self._line.reading():
                fills += [self.fill(trade) for trade in trades]
        return tuple(sorted((fill for fill in fills if fill.time_ns >= time_ns), key=lambda fill: fill.time_ns))

    async def funding_since(self, time_ns: int) -> tuple[FundingPaid, ...]:
        """Return the funding settlements of our positions at or after ``time_ns``, oldest first."""
        found: list[FundingPaid] = []
        for symbol, instrument in self.instruments.items():
            asking = partial(self._client.fetch_funding_history, symbol)
            payments = await self._all_since(time_ns, Kept(f"payments of {symbol}", _payment_key, SETTLED_MAX, asking))
            if not payments:
                continue
            rates = {} if self._venue.funding_terms is not None else await self._rates_since(symbol, time_ns)
            with self._line.reading():
                found += settlements([funding_paid_from(each, rates, instrument, self._venue) for each in payments])
        return tuple(sorted(found, key=lambda paid: paid.time_ns))

    # -- shared with the streams ---------------------------------------------------------------------------------

    def record(self, payload: Mapping[str, Any]) -> OrderRecord:
        """Return an order as the venue tells it.

        Raises:
            UnreadableAnswer: It does not say enough.
        """
        record = order_record(payload, self._venue, self._ids, self._account.id, self._now_ns())
        self._facts.note_id(record.venue_order_id or "", record.order.client_order_id)
        return record

    def fill(self, trade: Mapping[str, Any]) -> Fill:
        """Return a private trade, with the order that it belongs to.

        Raises:
            UnreadableAnswer: It does not say enough.
        """
        # What a conditional order became goes by another id: what was told of that comes first.
        client_order_id = self._facts.client_id_of(str(trade.get("order")))
        if client_order_id is None:
            client_order_id = trade_client_id(trade, self._venue, self._ids)
        return fill_from(trade, client_order_id, self._venue, self._account.currency)

    def seen(self, read: Callable[[Payload, str], AccountTold], balance: Mapping[str, Any]) -> AccountSeen:
        """Return what the stream of the balance says of the account, by the venue's own reading of it."""
        names = {self._client.markets[symbol][self._venue.name_key]: symbol for symbol in self.instruments}
        return account_seen(read(balance["info"], self._account.currency), names)

    # -- inside --------------------------------------------------------------------------------------------------

    async def _as_it_works(self, symbol: str, payload: Mapping[str, Any]) -> OrderRecord:
        """Return an order; a conditional one that was triggered, as the order that it has become."""
        record = self.record(payload)
        number = became(payload, self._venue.read_became)
        if number is None:
            return record
        working = await self._line.read(lambda: self._client.fetch_order(number, symbol), self.record)
        self._facts.note_trigger(record.order.client_order_id, number)
        return msgspec.structs.replace(
            record, status=working.status, filled=working.filled, venue_order_id=working.venue_order_id
        )

    async def _rates_since(self, symbol: str, time_ns: int) -> dict[int, SettledRate]:
        """Return the rates that settled, by their times in whole seconds: what they were is nice to know, no more."""
        asking = partial(self._client.fetch_funding_rate_history, symbol)
        told = await self._all_since(
            time_ns, Kept(f"funding rates of {symbol}", itemgetter("timestamp"), SETTLED_MAX, asking)
        )
        return {rate.second: rate for rate in readable(told, settled_rate_from, f"funding rates of {symbol}")}

    def _doors(self) -> tuple[bool, ...]:
        return (False, True) if self._venue.conditional_apart and self._venue.holds_conditional else (False,)

    def _trades(self, symbol: str) -> Kept:
        ask, key = partial(self._client.fetch_my_trades, symbol), self._venue.trades_from
        ask_from = None if key is None else lambda trade_id, most: ask(None, most, {key: trade_id})
        return Kept(f"trades of {symbol}", itemgetter("id"), TRADES_MAX, ask, ask_from)

    async def _all_since(self, time_ns: int, kept: Kept) -> list[dict[str, Any]]:
        return await all_since(self._line, kept, time_ns, self._now_ns())

    async def _learn_ids(self, symbol: str, trades: Sequence[dict[str, Any]]) -> None:
        """Ask which of our orders trades belong to, where the venue names them by its own ids alone."""
        unknown = {
            str(trade.get("order"))
            for trade in trades
            if trade_client_id(trade, self._venue, self._ids) is None
            and self._facts.client_id_of(str(trade.get("order"))) is None
        }
        for venue_order_id in sorted(unknown):
            try:
                await self._line.read(
                    lambda known=venue_order_id: self._client.fetch_order(known, symbol),  # type: ignore[misc] # mypy and defaults
                    self.record,
                )
            except ccxt.OrderNotFound:
                # Too old for the venue to tell: it is nobody's fill, and moves the position all the same.
                continue


def settlements(payments: Iterable[FundingPaid]) -> Iterable[FundingPaid]:
    """Return payments of one symbol, those of one moment as one: by their moment settlements are known to the books."""
    settled: dict[int, FundingPaid] = {}
    for paid in payments:
        first = settled.get(paid.time_ns)
        settled[paid.time_ns] = (
            paid
            if first is None
            else msgspec.structs.replace(
                first, amount=first.amount + paid.amount, contracts=first.contracts + paid.contracts
            )
        )
    return settled.values()


def _payment_key(payment: Payload) -> tuple[object, ...]:
    """Return what tells payments apart: some venues number them, and some give all of them one number."""
    return payment.get("id"), payment["timestamp"], payment.get("amount")


def door_of(*, conditional: bool) -> dict[str, bool]:
    """Return the parameters by which ccxt asks for conditional orders, where they are kept apart."""
    return {"trigger": True} if conditional else {}
