"""What must be known of a venue's account before money is risked there. Reads alone."""

from decimal import Decimal

from app.domain.money import plain
from app.exchanges.ccxt.account import CcxtAccount
from app.exchanges.ccxt.errors import VenueRefused
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.market import CcxtMarket
from app.ports.connection import ExchangeUnavailable
from app.ports.examination import Finding, Verdict
from app.settings.ccxt import CcxtSettings
from app.settings.models import AccountSettings

OFFSET_S_MAX = 1.0
"""Clocks further apart are corrected for; but the machine's clock is wrong, and logs and daily limits go by it."""


class Fitness:
    """Examines a connected account."""

    def __init__(
        self,
        settings: CcxtSettings,
        account: AccountSettings,
        market: CcxtMarket,
        reader: CcxtAccount,
        line: Line,
    ) -> None:
        self._settings = settings
        self._account = account
        self._market = market
        self._reader = reader
        self._client = line.client
        self._line = line

    async def examine(self) -> tuple[Finding, ...]:
        """Return what was found."""
        return (
            Finding("connection", Verdict.OK, f"{self._market.venue.name} answers, and takes the keys"),
            await self._mode(),
            self._clock(),
            *self._late_orders(),
            await self._balance(),
            *await self._rights(),
            *self._leverage(),
            self._stops(),
            await self._held(),
        )

    async def _mode(self) -> Finding:
        # Hedge mode did not come as far as this: connecting refuses it.
        if await self._reader.is_hedged(self._market.symbols[0] if self._market.symbols else None) is None:
            return Finding("position_mode", Verdict.UNKNOWN, "the venue does not say", "see that it is one-way mode")
        return Finding("position_mode", Verdict.OK, "one-way")

    def _clock(self) -> Finding:
        offset_s = self._market.session.offset_s
        detail = f"the venue's is {offset_s:+.3f} s from ours"
        if abs(offset_s) <= OFFSET_S_MAX:
            return Finding("clock", Verdict.OK, detail)
        return Finding("clock", Verdict.WARNING, detail, "set the machine's clock by NTP")

    def _late_orders(self) -> tuple[Finding, ...]:
        if self._market.venue.refuses_late_orders:
            return ()
        detail = "the venue is not known to refuse orders that arrive late: one without an answer may come at any time"
        return (Finding("late_orders", Verdict.WARNING, detail, "be there to see, and to resume: docs/venues.md"),)

    async def _balance(self) -> Finding:
        balance, currency = await self._reader.balance(), self._account.currency
        if balance > 0:
            return Finding("balance", Verdict.OK, f"{plain(balance)} {currency}")
        return Finding("balance", Verdict.FAILED, f"{plain(balance)} {currency}", "move money to the futures wallet")

    async def _rights(self) -> tuple[Finding, ...]:
        """Return whether the key may trade, and whether it may withdraw."""
        if self._settings.demo:
            return (Finding("withdrawals", Verdict.OK, "a demo network: there is nothing to withdraw"),)
        cannot_tell = "see in the venue's key management that the key cannot withdraw"
        rights = self._market.venue.rights
        if rights is None:
            return (Finding("withdrawals", Verdict.UNKNOWN, "the venue does not say what the key may", cannot_tell),)
        try:
            return await self._line.read(lambda: rights.ask(self._client), lambda said: rights.read(self._client, said))
        except (ExchangeUnavailable, VenueRefused) as error:
            return (Finding("withdrawals", Verdict.UNKNOWN, str(error), cannot_tell),)

    def _leverage(self) -> tuple[Finding, ...]:
        wanted = self._account.leverage
        findings = []
        for symbol, instrument in self._reader.instruments.items():
            most = max((tier.leverage_max for tier in instrument.margin_tiers), default=Decimal(1))
            detail = f"{symbol}: {plain(wanted)} {self._account.margin_mode} will be set; {plain(most)} is the most"
            if wanted <= most and wanted == int(wanted):
                findings.append(Finding("leverage", Verdict.OK, detail))
            else:
                findings.append(
                    Finding("leverage", Verdict.FAILED, detail, "set account.leverage to a whole number below it")
                )
        return tuple(findings)

    def _stops(self) -> Finding:
        venue = self._market.venue
        if venue.holds_conditional:
            return Finding(
                "stops", Verdict.OK, "rest at the venue; those that trail are moved by the bot while it runs"
            )
        detail = f"{venue.name} is sent no stops, take-profits and trailing stops: positions have no protection"
        return Finding("stops", Verdict.UNKNOWN, detail, "see that no strategy needs one, or trade at another venue")

    async def _held(self) -> Finding:
        positions, orders = await self._reader.positions(), await self._reader.open_orders()
        detail = f"{len(positions)} positions, {len(orders)} working orders of the configured symbols"
        if not positions and not orders:
            return Finding("account", Verdict.OK, detail)
        return Finding(
            "account", Verdict.WARNING, detail, "what is not in the bot's journal is treated as execution.foreign says"
        )
