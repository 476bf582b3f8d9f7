"""Finds the exchange adapter that the settings name. What is not named is not imported."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from app.exchanges.exchange import EXCHANGE_NAMES, Exchange
from app.exchanges.paper import PaperExchange
from app.ports.journal import Journal
from app.settings import ExtraMissing, Settings, SettingsRefused

if TYPE_CHECKING:
    from app.exchanges.ccxt import CcxtExchange, CcxtMarket

BUILT_IN = frozenset({"simulated", "ccxt", "paper"})
"""Adapters that are named by one word."""


class AdapterRefused(SettingsRefused):
    """The dotted path of an exchange adapter that cannot be used."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"exchange.adapter = {path!r}: {why}")


def adapter_kind(settings: Settings) -> str:
    """Return which branch of the exchange selector is taken."""
    return settings.exchange.adapter if settings.exchange.adapter in BUILT_IN else "custom"


def adapter_class(settings: Settings) -> Callable[[Settings, Journal], Exchange]:
    """Return the adapter that the settings name by dotted path: a class that is called with settings and journal.

    Raises:
        AdapterRefused: It does not import.
    """
    path = settings.exchange.adapter
    module, _, name = path.rpartition(".")
    if not module:
        raise AdapterRefused(path, "there is no such adapter: use simulated, paper, ccxt, or the path of a class")
    try:
        adapter: Callable[[Settings, Journal], Exchange] = getattr(import_module(module), name)
    except (Exception, SystemExit) as error:
        raise AdapterRefused(path, f"cannot import it: {type(error).__name__}: {error}") from error
    return adapter


def ccxt_exchange(settings: Settings) -> "CcxtExchange":
    """Return an exchange that trades at a real venue.

    Raises:
        ExtraMissing: ccxt is not installed.
    """
    made: CcxtExchange = ccxt_adapters(settings).CcxtExchange(settings, symbols_of(settings))
    return made


def paper_exchange(settings: Settings, journal: Journal) -> Exchange:
    """Return an exchange with the market of a real venue, and an account of its own.

    Raises:
        ExtraMissing: ccxt is not installed.
    """
    return PaperExchange(
        paper_market(settings),
        settings.exchange.simulated,
        settings.account,
        journal,
        resumable=settings.storage.keeps_state,
    )


def paper_market(settings: Settings) -> "CcxtMarket":
    """Return the market of a real venue, without keys.

    Raises:
        ExtraMissing: ccxt is not installed.
    """
    made: CcxtMarket = ccxt_adapters(settings).CcxtMarket(
        settings.exchange.ccxt, symbols_of(settings), valid_s=settings.execution.request_valid_s
    )
    return made


def ccxt_adapters(settings: Settings) -> ModuleType:
    """Return the module of the adapters that need ccxt. It is imported here: it costs 0.6 s and 100 MB.

    Raises:
        ExtraMissing: It is not installed.
    """
    try:
        from app.exchanges import ccxt  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise ExtraMissing(f"exchange.adapter = {settings.exchange.adapter}", error.name or "ccxt", "live") from error
    return ccxt


def symbols_of(settings: Settings) -> tuple[str, ...]:
    """Return the symbols that the strategies trade, sorted."""
    return tuple(sorted({symbol for item in settings.strategies.values() for symbol in item.symbols}))


def custom_exchange(adapter: Callable[[Settings, Journal], Exchange], settings: Settings, journal: Journal) -> Exchange:
    """Return an exchange of the adapter that the settings name.

    Raises:
        AdapterRefused: It lacks something that an exchange must have.
    """
    made = adapter(settings, journal)
    there = set(dir(made))
    missing = [name for name in EXCHANGE_NAMES if name not in there]
    if missing:
        raise AdapterRefused(
            settings.exchange.adapter, f"it has no {', '.join(missing)}: see the exchange's ports in app/ports"
        )
    return made
