"""The compiled path against the event path, and what it refuses."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba", reason="the compiler is not installed: pip install '.[research]'")

from app.backtest.compiled import CompiledBacktest, CompiledFigures, HandedOn, NotCompilable
from app.backtest.compiled.arithmetic import scaled
from app.backtest.compiled.signals import millionths
from app.settings import load_settings
from tests.backtest.both_paths import compare
from tests.backtest.test_command import app, candles

__all__ = ["candles"]
REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "bench" / "synth_1m_500k.parquet"
CASES = 1_100


@pytest.mark.parametrize("seed", range(24))
def test_both_paths_agree_to_the_last_decimal(seed, tmp_path):
    """Fills, fees, funding, orders, and the equity at each bar; or the run is handed on."""
    assert compare(seed, tmp_path, bars=600)


@pytest.mark.nightly
def test_both_paths_agree_on_a_thousand_backtests(tmp_path):
    """Enough of each kind of fill that it is the paths that agree, and not the cases that are tame."""
    seen = Counter()
    for seed in range(CASES):
        seen += compare(seed, tmp_path)
    assert seen["compiled"] >= CASES / 2
    assert seen["stop_market"] >= 10_000
    assert seen["limit"] >= 10_000
    assert seen["take_profit_market"] >= 1_000
    assert seen["liquidations"] >= 10
    assert seen["denied"] >= 1_000


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the reference candles are not on this machine")
def test_the_reference_ledger_is_met_to_the_last_decimal():
    loaded = load_settings("benchmark", [f"exchange.simulated.candles={REFERENCE}"])
    told = CompiledBacktest(loaded.settings).evaluate()
    assert (told.bars, told.fills, told.fees) == (500_000, 45_017, Decimal("59606.05225"))
    assert (told.balance, told.realized_pnl) == (Decimal("939179.48775"), Decimal("-1214.46"))
    assert told.unrealized_pnl == Decimal("0.43")


@pytest.mark.parametrize("losses_max", [1000, 1])
def test_the_command_says_the_same_whatever_the_engine(candles, tmp_path, losses_max):
    """All figures and statistics, and what denied orders; only what the bot alone can tell is missing."""
    words = ("backtest", "--candles", str(candles), "--strategy", "trend", "--json")
    # Averages as long as a whole rise: it is late each time, and loses.
    words += ("--set", "strategies.trend.params.fast=60", "--set", "strategies.trend.params.slow=120")
    words += ("--set", f"risk.consecutive_losses_max={losses_max}")
    event = json.loads(app(*words, folder=tmp_path).stdout)
    compiled = json.loads(app(*words, "--engine", "compiled", folder=tmp_path).stdout)
    assert event.keys() == compiled.keys()
    differ = {name for name in event if event[name] != compiled[name]}
    assert differ == {"engine", "events", "elapsed_s", "bars_per_second", "orders_digest", "coordinators"}
    assert event["fills"] > 2
    denied = event["orders_denied"]
    assert (denied > 0) is (losses_max == 1)
    assert event["orders_denied_by"] == ({"reduce_only (risk:consecutive_losses)": denied} if denied else {})
    assert compiled["engine"] == "compiled"


def test_a_limit_that_might_bind_hands_the_run_on(candles, tmp_path):
    """The event engine then runs it, and both are said."""
    told = app(
        "backtest", "--candles", str(candles), "--strategy", "trend", "--engine", "compiled", "--json",
        "--set", "risk.position_notional_max=1", folder=tmp_path,
    )  # fmt: skip
    assert told.returncode == 0
    assert told.stderr.startswith("the event engine runs this: a limit or a guard might bind at 2026-01-01T")
    assert json.loads(told.stdout)["engine"] == "event"


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("exchange.simulated.latency_ms=5", "latency is not modelled"),
        ("exchange.simulated.impact_ratio=0.1", "impact_ratio is not modelled"),
        ("account.margin_mode=isolated", "isolated margin is not modelled"),
        ("strategies.trend.sizing.model=volatility_target", "sizing by volatility_target is not modelled"),
        ("execution.stop_policy=flatten", "stop_policy flatten is not modelled"),
        ("risk.orders_per_minute_max=3", "risk.orders_per_minute_max could bind on bars of 60 s"),
    ],
)
def test_what_is_not_modelled_is_refused_in_one_sentence(candles, tmp_path, word, why):
    told = app(
        "backtest", "--candles", str(candles), "--strategy", "trend", "--engine", "compiled", "--set", word,
        folder=tmp_path,
    )  # fmt: skip
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == f"error: the compiled engine cannot do this run: {why}; use --engine event\n"


def test_an_unknown_engine_is_a_matter_of_usage(candles, tmp_path):
    told = app("backtest", "--candles", str(candles), "--strategy", "trend", "--engine", "fast", folder=tmp_path)
    assert (told.returncode, told.stderr) == (2, "error: there is no engine 'fast': use event or compiled\n")


def test_a_sweep_loads_the_data_once(candles):
    """Each trial is one call; a trial leaves nothing behind that another would see."""
    words = [f"exchange.simulated.candles={candles}", "risk.consecutive_losses_max=1000"]
    words += ["strategies.it.strategy=trend", 'strategies.it.symbols=["BTC/USDT:USDT"]']
    backtest = CompiledBacktest(load_settings("backtest", words).settings)
    first, other, again = (backtest.evaluate({"fast": fast}) for fast in (3, 8, 3))
    assert isinstance(first, CompiledFigures)
    assert first == again != other


def test_bars_of_another_length_are_left_to_the_event_path(candles):
    words = [f"exchange.simulated.candles={candles}", "strategies.it.strategy=trend"]
    words += ['strategies.it.symbols=["BTC/USDT:USDT"]', "strategies.it.params.interval_s=300"]
    backtest = CompiledBacktest(load_settings("backtest", words).settings)
    with pytest.raises(NotCompilable, match="bars of 300 s from bars of 60 s"):
        backtest.evaluate()


def test_a_gap_in_the_data_hands_a_trial_on_that_holds_something(tmp_path):
    """The mark is older than allowed when the bar after the gap comes."""
    path = tmp_path / "gap.csv"
    minutes = [*range(40), *range(3000, 3040)]
    rows = [f"2026-01-{1 + m // 1440:02}T{m // 60 % 24:02}:{m % 60:02}:00Z,100,101,99,100,1" for m in minutes]
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    words = [f"exchange.simulated.candles={path}", "strategies.it.strategy=trend"]
    words += ['strategies.it.symbols=["BTC/USDT:USDT"]']
    told = CompiledBacktest(load_settings("backtest", words).settings).evaluate()
    assert isinstance(told, HandedOn)
    assert str(told) == "a limit or a guard might bind at 2026-01-03T02:01:00Z"


@given(st.floats(0, 1e6) | st.integers(0, 10**9).map(lambda odd: (2 * odd + 1) / 2**7))
def test_a_distance_has_the_digits_that_formatting_gives_it(value):
    """Ties included: a 128th has seven digits, the last of them a five."""
    assert millionths(value) == int(Decimal(f"{value:.6f}") * 1_000_000)


@given(st.integers(-(2**56), 2**56), st.integers(-(10**6), 10**6), st.integers(1, 10**9))
def test_a_product_is_divided_half_even_without_overflow(amount, factor, divisor):
    quotient = scaled(amount, factor, divisor)
    if abs(quotient) < 2**62:
        exact = Decimal(amount) * factor
        assert abs(exact - Decimal(quotient) * divisor) * 2 <= divisor
