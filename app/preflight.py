"""What is refused before anything starts: what the settings name and cannot be had."""

from app.adapters import adapter_class, adapter_kind, ccxt_adapters
from app.coordinators.strategy import UnknownSymbol
from app.settings import Settings, SettingsRefused
from app.strategies import create_all


class NothingRecorded(SettingsRefused):
    """A profile that plays recorded data has none: a generated market would look like it."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"a {kind} needs data: give it with --set exchange.simulated.candles=FILE")


class SymbolNotListed(SettingsRefused):
    """A strategy trades what the embedded exchange does not list, which the settings alone tell."""

    def __init__(self, unknown: UnknownSymbol) -> None:
        super().__init__(f"{unknown}, or list it in exchange.simulated.instruments")


def check_before_start(settings: Settings) -> None:
    """Refuse what the settings name and cannot be had, before anything is touched.

    Raises:
        SettingsRefused: The exchange adapter does not import, or its library is not installed; a replay has no data;
            a strategy trades what the embedded exchange does not list. What a venue lists, only the venue can tell.
        StrategyRefused: A strategy does not import, or its parameters are wrong.
    """
    create_all(settings.strategies)
    exchange = settings.exchange
    if settings.kind in {"replay", "benchmark"} and exchange.adapter == "simulated" and not exchange.simulated.data:
        raise NothingRecorded(settings.kind)
    if adapter_kind(settings) == "custom":
        adapter_class(settings)
    elif exchange.adapter == "simulated":
        _check_listed(settings)
    else:
        ccxt_adapters(settings)


def _check_listed(settings: Settings) -> None:
    listed = [instrument.symbol for instrument in settings.exchange.simulated.instruments]
    for name, item in settings.strategies.items():
        for symbol in item.symbols:
            if symbol not in listed:
                raise SymbolNotListed(UnknownSymbol(name, symbol, listed))
