"""A backtest of several symbols, and of bars longer than the data's."""

import json
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from app.cli.backtest import backtest_settings
from app.cli.data_words import settings_of_files
from app.cli.failures import UsageRefused
from app.cli.main import app
from app.domain.market import SECOND_NS
from app.research.decisions import decisions_of
from app.strategies import BarParams, Strategy
from tests.builders import BTC, START_NS

ETH = "ETH/USDT:USDT"
MINUTES = 1440


def written(folder, name, price, period):
    """Write a day of minutes that rise and fall by four in a hundred, and return the path."""
    path = folder / f"{name}.csv"
    rows = ["ts,open,high,low,close,volume"]
    for minute in range(MINUTES):
        now = round(price * (1 + 0.04 * abs(minute % period - period // 2) / (period // 2)), 1)
        rows.append(f"{START_NS + minute * 60 * SECOND_NS},{now},{now + 2},{now - 2},{now + 1},5")
    path.write_text("\n".join(rows))
    return path


@pytest.fixture(scope="module")
def candles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return {BTC: written(folder, "btc", 30_000, 240), ETH: written(folder, "eth", 3_000, 180)}


def told(*words):
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def words_of(candles):
    return [word for symbol, path in candles.items() for word in ("--candles", f"{symbol}={path}")]


def test_two_symbols_trade_as_in_a_run_of_the_same_stream(candles):
    """The same orders, byte for byte; and as many as the two symbols would take each alone."""
    recorded = ", ".join(f'{{symbol="{symbol}", candles="{path}"}}' for symbol, path in candles.items())
    strategy = ("--set", "strategies.trend.strategy=trend", "--set", f'strategies.trend.symbols=["{BTC}", "{ETH}"]')
    data = ("--set", f"exchange.simulated.recorded=[{recorded}]")
    ran = told("run", "--profile", "backtest", *strategy, *data)
    tested = told("backtest", "--strategy", "trend", *words_of(candles))
    alone = [told("backtest", "--strategy", "trend", "--candles", f"{key}={path}") for key, path in candles.items()]
    assert tested["orders_digest"] == ran["orders_digest"]
    assert tested["orders"] == ran["orders"] == sum(one["orders"] for one in alone) > 20
    assert tested["bars"] == 2 * MINUTES
    assert set(tested["reproduce"]["data"]) == {str(path) for path in candles.values()}


def test_the_order_in_which_files_are_given_decides_ties_and_nothing_else(candles):
    """Both orders are runs of their own, and each is the same again."""
    words = ("backtest", "--strategy", "trend")
    first, again = (told(*words, *words_of(candles)) for _ in range(2))
    turned = told(*words, *words_of(dict(reversed(candles.items()))))
    assert first["orders_digest"] == again["orders_digest"]
    assert (turned["orders"], turned["fills"]) == (first["orders"], first["fills"])


def test_each_strategy_may_have_a_symbol_to_itself(candles):
    each = [
        "strategies.a.strategy=trend", f'strategies.a.symbols=["{BTC}"]',
        "strategies.b.strategy=breakout", f'strategies.b.symbols=["{ETH}"]',
    ]  # fmt: skip
    sets = [word for setting in each for word in ("--set", setting)]
    assert told("backtest", *words_of(candles), *sets)["orders"] > 5


def test_the_compiled_engine_says_that_it_does_one_symbol(candles):
    pytest.importorskip("numba", reason="the compiler is not installed: pip install '.[research]'")
    done = CliRunner().invoke(app, ["backtest", "--engine", "compiled", "--strategy", "trend", *words_of(candles)])
    assert done.exit_code == 2
    assert "there is data of 2 symbols, and it does one" in done.stderr


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"candles": ["a.csv", "b.csv"]}, "of which symbol is a.csv?"),
        ({"candles": [f"{BTC}=a.csv", "b.csv"]}, "of which symbol is b.csv?"),
        ({"candles": [f"{BTC}=a.csv"], "mark": ["m.csv"]}, "of which symbol is m.csv?"),
        (
            {"candles": [f"{BTC}=a.csv", f"{BTC}=b.csv"]},
            f"given twice for {BTC}: make one file of both with python -m app data import FILE --symbol {BTC} --kind",
        ),
        ({"candles": [f"{BTC}=a.csv"], "mark": [f"{ETH}=m.csv"]}, f"there are no candles of {ETH}"),
    ],
)
def test_files_that_cannot_be_told_apart_are_refused(given, sentence):
    with pytest.raises(UsageRefused, match=sentence.replace("?", r"\?")):
        list(settings_of_files(given))


def test_one_symbol_that_is_named_is_the_data_of_that_symbol():
    given = {"candles": [f"{ETH}=a b.csv"], "mark": [], "funding": [f"{ETH}=f.csv"]}
    data = backtest_settings(None, list(settings_of_files(given)), "trend").settings.exchange.simulated.data
    assert [(each.symbol, [str(path) for path in each.files]) for each in data] == [(ETH, ["a b.csv", "f.csv"])]


def test_a_strategy_on_a_symbol_without_data_is_refused(candles):
    words = [f"exchange.simulated.candles={candles[BTC]}", f'strategies.trend.symbols=["{BTC}", "{ETH}"]']
    with pytest.raises(UsageRefused, match=f"trend trades {ETH}, and the data is of {BTC}: give the other with"):
        backtest_settings(None, ["strategies.trend.strategy=trend", *words], None)


class Witness(Strategy):
    """Keeps the longer bars that it sees, and when; decides nothing."""

    class Params(BarParams):
        """Bars of fifteen minutes, whatever the data has."""

        interval_s: int = 900

    saw = ()

    def setup(self):
        Witness.saw = []

    def on_bar(self, bar, view):
        Witness.saw.append((bar, view.mark(self.symbol)))


@pytest.mark.parametrize("gap", [(0, 0), (20, 40), (29, 31), (44, 60)])
def test_longer_bars_are_built_of_closed_ones_only(tmp_path, candles, gap):
    """What is seen of a quarter of an hour is exactly its minutes, and not before the last of them has closed.

    The price known when it is seen is the close of its own last minute; after a gap it may be that of a later one.
    """
    lines = candles[BTC].read_text().splitlines()
    kept = [line.split(",") for minute, line in enumerate(lines[1:100]) if not gap[0] <= minute < gap[1]]
    path = tmp_path / "gap.csv"
    path.write_text("\n".join([lines[0], *map(",".join, kept)]))
    decisions_of(backtest_settings(None, [f"exchange.simulated.candles={path}"], f"{__name__}.Witness"))
    assert len(Witness.saw) >= 5
    for bar, mark in Witness.saw:
        inside = [row for row in kept if bar.open_ns <= int(row[0]) < bar.time_ns]
        assert (bar.open, bar.close) == (Decimal(inside[0][1]), Decimal(inside[-1][4]))
        assert (bar.high, bar.low) == (max(Decimal(row[2]) for row in inside), min(Decimal(row[3]) for row in inside))
        last = int(inside[-1][0])
        later = [Decimal(row[4]) for row in kept if int(row[0]) >= last]
        assert mark in later
        assert bar.time_ns - last <= 900 * SECOND_NS
