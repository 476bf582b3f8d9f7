"""Files of recorded data as the command line names them: FILE for one symbol, SYMBOL=FILE for each of several."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from app.cli.failures import UsageRefused

DataWords = Mapping[str, Sequence[str]]
"""What was given, by kind: candles, mark, funding."""
_NAMED = re.compile(r"([A-Z0-9]+/[A-Z0-9]+:[A-Z0-9]+)=(.+)")


def settings_of_files(given: DataWords) -> Iterator[str]:
    """Yield the settings that the files stand for.

    Raises:
        UsageRefused: There are several files of a kind, and it does not say which is of which symbol; a symbol has a
            file twice, or has no candles.
    """
    plain, by_symbol = _sorted(given)
    if plain and (by_symbol or any(len(words) > 1 for words in given.values())):
        kind, path = plain[0]
        raise UsageRefused(f"of which symbol is {path}? With several write --{kind} BTC/USDT:USDT={path}")
    for symbol, files in by_symbol.items():
        if "candles" not in files:
            raise UsageRefused(f"there are no candles of {symbol}: give them with --candles {symbol}=FILE")
    if len(by_symbol) > 1:
        tables = ", ".join(_table({"symbol": symbol, **files}) for symbol, files in by_symbol.items())
        yield f"exchange.simulated.recorded=[{tables}]"
        return
    for symbol, files in by_symbol.items():
        yield f"exchange.simulated.data_symbol={symbol}"
        plain += files.items()
    for kind, path in plain:
        yield f"exchange.simulated.{kind}={path}"


def _sorted(given: DataWords) -> tuple[list[tuple[str, str]], dict[str, dict[str, str]]]:
    """Return kind and path of the files that name no symbol, and the files of each symbol by kind."""
    plain: list[tuple[str, str]] = []
    by_symbol: dict[str, dict[str, str]] = {}
    for kind, words in given.items():
        for word in words:
            named = _NAMED.fullmatch(word)
            if named is None:
                plain.append((kind, word))
                continue
            symbol, path = named.groups()
            if by_symbol.setdefault(symbol, {}).setdefault(kind, path) != path:
                into = f"python -m app data import FILE --symbol {symbol} --kind {kind}"
                raise UsageRefused(f"--{kind} is given twice for {symbol}: make one file of both with {into}, each")
    return plain, by_symbol


def _table(values: Mapping[str, str]) -> str:
    """Return a TOML table on one line; a JSON string is a TOML string."""
    return f"{{{', '.join(f'{name} = {json.dumps(value, ensure_ascii=False)}' for name, value in values.items())}}}"
