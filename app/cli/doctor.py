"""Examines everything that a run needs, prints a line for each, and keeps a run with real keys from starting unfit."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from decimal import Decimal

from app.adapters import ccxt_exchange, paper_market
from app.cli.doctor_local import examine_here
from app.cli.failures import UsageRefused
from app.domain.instrument import Instrument
from app.domain.money import plain
from app.ports.connection import Connection, ExchangeUnavailable
from app.ports.examination import ACCEPTABLE, Finding, Verdict
from app.ports.exit_codes import ExitCode
from app.ports.market_data import MarketData
from app.preflight import check_before_start
from app.settings import LoadedSettings, Settings, load_settings
from app.strategies import sizing_from

REAL_KINDS = frozenset({"testnet", "canary", "live"})
"""Kinds of profiles that send orders to a venue."""
DEADLINE_S = 60.0
STOPS = frozenset({Verdict.FAILED, Verdict.UNKNOWN})


class NotFit(Exception):
    """A run with real keys may not start."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        why = "; ".join(f"{item.name}: {item.detail}" for item in findings)
        super().__init__(f"not fit to run ({why}): see `python -m app doctor` with the same words")


def doctor(profile: str | None, overrides: list[str], accept: list[str], *, as_json: bool) -> int:
    """Examine, and print what was found; return the exit code."""
    strange = sorted(set(accept) - ACCEPTABLE)
    if strange:
        raise UsageRefused(f"there is no finding {strange[0]} to accept: use {', '.join(sorted(ACCEPTABLE))}")
    loaded = load_settings(profile, overrides)
    findings = examine_all(loaded, accept)
    if as_json:
        print(json.dumps([{name: getattr(item, name) for name in Finding.__struct_fields__} for item in findings]))
    else:
        for item in findings:
            print(f"{item.verdict:<8} {item.name:<14} {item.detail}{f' -> {item.advice}' if item.advice else ''}")
        if any(item.verdict is Verdict.UNKNOWN for item in findings):
            print("what is unknown counts as failed until you accept it: --accept NAME")
    return ExitCode.START_FAILED if any(item.verdict in STOPS for item in findings) else ExitCode.CLEAN


def refuse_if_unfit(loaded: LoadedSettings) -> None:
    """Keep a run from starting.

    Raises:
        NotFit: Something failed, or cannot be told.
    """
    bad = [item for item in examine_all(loaded, ()) if item.verdict in STOPS]
    if bad:
        raise NotFit(bad)


def examine_all(loaded: LoadedSettings, accept: Sequence[str]) -> list[Finding]:
    """Return what was found here and at the venue; what is unknown and accepted is a warning."""
    settings = loaded.settings
    check_before_start(settings)
    found = [Finding("settings", Verdict.OK, f"profile {settings.profile}, kind {settings.kind}")]
    found += examine_here(loaded)
    if settings.exchange.adapter == "ccxt":
        if not any(item.name == "keys" and item.verdict is Verdict.FAILED for item in found):
            # Without keys there is nobody to ask as, and they are a line already.
            found += asyncio.run(_examine_account(settings))
    elif settings.exchange.adapter == "paper":
        found += asyncio.run(_examine_market(settings))
    accepted = {*accept, *settings.exchange.ccxt.accept_unknown}
    return [
        Finding(item.name, Verdict.WARNING, f"{item.detail} (accepted)", item.advice)
        if item.verdict is Verdict.UNKNOWN and item.name in accepted
        else item
        for item in found
    ]


async def _examined(connection: Connection, looks: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """Return what was found at a venue, or why nothing was."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            await connection.connect()
            return await looks()
    except TimeoutError:
        return [Finding("connection", Verdict.FAILED, f"no end within {DEADLINE_S:g} s", "try again later")]
    except ExchangeUnavailable as error:
        return [Finding("connection", Verdict.FAILED, str(error), "try again later; is the network up?")]
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer of a doctor is a line
        return [Finding("connection", Verdict.FAILED, str(error) or type(error).__name__)]
    finally:
        await connection.close()


async def _examine_account(settings: Settings) -> list[Finding]:
    exchange = ccxt_exchange(settings)

    async def look() -> list[Finding]:
        found = list(await exchange.examine())
        return found + await _all_sizes(settings, exchange, await exchange.balance())

    return await _examined(exchange, look)


async def _examine_market(settings: Settings) -> list[Finding]:
    """Look at the market that paper trades in: whether it answers, and lists what is traded."""
    market = paper_market(settings)

    async def look() -> list[Finding]:
        found = [Finding("connection", Verdict.OK, f"{settings.exchange.ccxt.venue} answers, and lists all symbols")]
        return found + await _all_sizes(settings, market, settings.exchange.simulated.deposit)

    return await _examined(market, look)


async def _all_sizes(settings: Settings, market: MarketData, equity: Decimal) -> list[Finding]:
    found: list[Finding] = []
    for instrument in await market.instruments():
        bars = await market.history(instrument.symbol, 60, 1)
        found += _sizes(settings, instrument, bars[-1].close if bars else None, equity)
    return found


def _sizes(settings: Settings, instrument: Instrument, price: Decimal | None, equity: Decimal) -> Iterator[Finding]:
    """Compare what the strategies would send with what the venue takes."""
    symbol = instrument.symbol
    for name, strategy in settings.strategies.items():
        if symbol not in strategy.symbols:
            continue
        if price is None or strategy.sizing.model == "volatility_target":
            yield Finding("size", Verdict.WARNING, f"{name} on {symbol}: not known before the market was seen")
            continue
        contracts = sizing_from(strategy.sizing).contracts(instrument, price, equity)
        notional = instrument.notional(contracts, price)
        detail = f"{name} on {symbol}: {plain(contracts)} contracts, {notional:.2f} {instrument.settle}"
        least = f"the least is {plain(instrument.contracts_min)} contracts and {plain(instrument.notional_min)}"
        if contracts < instrument.contracts_min or notional < instrument.notional_min:
            yield Finding("size", Verdict.FAILED, f"{detail}; {least}", f"raise strategies.{name}.sizing")
        else:
            yield Finding("size", Verdict.OK, f"{detail}; {least}")
