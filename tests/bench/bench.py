"""Prints how fast the bot is on this machine, now. Nothing is asserted: machines are noisy.

Run it with ``tox -e bench``, or ``python tests/bench/bench.py --candles FILE`` for the reference file.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT.parent / "shared" / "data" / "bench" / "synth_1m_500k.parquet"
MONTH = ROOT.parent / "shared" / "data" / "real" / "btcperp_1m_2022-01.parquet"
sys.path.insert(0, str(ROOT))


def app(*words, folder):
    """Run the command line; return it with its wall time and its peak memory in MB."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder)}
    began = time.perf_counter()
    running = subprocess.Popen(
        [sys.executable, "-m", "app", *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    out = running.stdout.read()
    _, _, usage = os.wait4(running.pid, 0)
    running.stdout.close()
    running.returncode = 0
    return out.decode(), time.perf_counter() - began, usage.ru_maxrss / 1024


def best(measure, times=5):
    """Return the fastest of several runs: noise only ever adds."""
    return min(measure() for _ in range(times))


def ready_s(folder):
    """Return the time from the start of the process to READY."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder)}
    began = time.perf_counter()
    running = subprocess.Popen(
        [sys.executable, "-m", "app", "run", "--plain"], env=environment, stderr=subprocess.PIPE, text=True
    )
    for line in running.stderr:
        if "READY" in line:
            break
    elapsed = time.perf_counter() - began
    running.terminate()
    running.stderr.read()
    running.wait()
    running.stderr.close()
    return elapsed


def idle_mb(folder):
    """Return the memory of a bot that runs at its normal speed, after some seconds."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder)}
    running = subprocess.Popen(
        [sys.executable, "-m", "app", "run", "--plain"], env=environment, stderr=subprocess.DEVNULL
    )
    time.sleep(5)
    status = Path(f"/proc/{running.pid}/status").read_text(encoding="ascii")
    running.terminate()
    running.wait()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


async def start_and_stop_ms():
    """Return what starting and stopping the five coordinators costs, without I/O."""
    from dependency_injector import providers
    from loguru import logger

    from app.container import Container
    from app.settings import load_settings
    from tests.fakes.exchange import FakeExchange

    logger.remove()
    container = Container(loaded=load_settings("benchmark"))
    container.exchange.override(providers.Object(FakeExchange()))
    container.strategies.override(providers.Object(()))
    began = time.perf_counter()
    await container.init_resources()
    await container.shutdown_resources()
    return (time.perf_counter() - began) * 1000


def kill_switch():
    """Yield what the kill switch takes; see the module."""
    from tests.bench import kill_switch as measured

    yield from measured.kill_switch()


def tick_to_order():
    from tests.bench import tick_to_order as measured

    return measured.tick_to_order()


def compiled_figures(candles):
    """Return what the first trial of a process takes, and the bars a second of CPU time of later ones."""
    from app.backtest.compiled import CompiledBacktest
    from app.settings import load_settings

    backtest = CompiledBacktest(load_settings("benchmark", [f"exchange.simulated.candles={candles}"]).settings)
    began = time.perf_counter()
    bars = backtest.evaluate().bars
    first_s = time.perf_counter() - began

    def trial():
        began = time.process_time()
        backtest.evaluate()
        return time.process_time() - began

    return first_s, bars / best(trial, 10)


def search_of(month, folder):
    """Return the document of a search of ten thousand trials on a month of minutes.

    No limit binds in it: a trial that might meet one is handed on to the event path, and that would be measured.
    """
    wide = {
        "consecutive_losses_max": 1_000_000,
        "daily_loss_ratio_max": 0.99,
        "drawdown_ratio_max": 0.99,
        "volatility_ratio_max": 1_000_000,
    }
    words = [word for name, value in wide.items() for word in ("--set", f"risk.{name}={value}")]
    words += ["--candles", str(month), "--strategy", "trend", "--trials", "10000", "--sampler", "random"]
    out, _, _ = app("optimize", *words, "--workers", "2", "--json", folder=folder)
    return json.loads(out)


def event_path(candles, folder):
    """Yield what the event path does in a second, by what it is given to do."""
    file = f"exchange.simulated.candles={candles}"

    def told(*words):
        settings = [word for setting in words for word in ("--set", setting)]
        return json.loads(app("run", "--profile", "benchmark", "--json", *settings, folder=folder)[0])

    yield "bars, a strategy that never acts", told(file, strategy_of("Still"))["bars_per_second"], ">= 300,000"
    rates = []
    for orders in (2_000, 50_000):
        ran = told(file, strategy_of("Turning"), f"exchange.simulated.duration_s={orders * 60}")
        rates.append(ran["orders"] / ran["elapsed_s"])
        yield f"orders, {orders:,} of them", rates[-1], ">= 20,000"
    yield "  rate at 50,000 over the rate at 2,000", rates[1] / rates[0], ">= 0.95"
    trades = write_trades(Path(folder) / "trades.parquet")
    ran = told(f"exchange.simulated.trades={trades}", strategy_of("Listening"), "exchange.simulated.fill_at=next_event")
    yield "trades, 1,000,000 of them, never acting", ran["events"] / ran["elapsed_s"], ">= 500,000"


def strategy_of(name):
    return f"strategies.trend.strategy=tests.bench.strategies.{name}"


def write_trades(path, count=1_000_000):
    """Write trades that wander, ten a second."""
    import polars as pl

    steps = pl.Series([(n * 2_654_435_761 >> 7) % 21 - 10 for n in range(count)])
    prices = 500_000 + steps.cum_sum() % 100_000
    pl.DataFrame(
        {
            "ts": pl.int_range(count, eager=True) * 100_000_000 + 1_700_000_000_000_000_000,
            "price": prices / 10,
            "contracts": 0.5,
            "side": pl.Series(["buy", "sell"] * (count // 2)),
        }
    ).write_parquet(path)
    return path


def nautilus(python, candles, rows):
    """Return the bars a second of NautilusTrader, in a Python that has it."""
    script = Path(__file__).with_name("nautilus.py")
    ran = subprocess.run([python, script, candles, str(rows)], check=True, capture_output=True, text=True)
    return json.loads(ran.stdout.splitlines()[-1])["bars_per_second"]


def tell(name, value, target):
    print(f"{name:<58} {value:>14}   target {target}")


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--candles", type=Path, default=REFERENCE, help="the reference candles")
    words.add_argument("--nautilus", type=Path, help="a Python that has NautilusTrader, which is timed beside it")
    given = words.parse_args()
    candles = given.candles
    with tempfile.TemporaryDirectory() as folder:
        bare = best(lambda: timed([sys.executable, "-c", "pass"]))
        helped = best(lambda: app("--help", folder=folder)[1])
        tell("python -c pass", f"{bare:.3f} s", "-")
        tell("python -m app --help", f"{helped:.3f} s", "< 0.25 s")
        app("run", "--plain", "--for", "0.1s", folder=folder)
        tell("python -m app to READY, imports included", f"{best(lambda: ready_s(folder), 3):.3f} s", "< 1.0 s")
        tell(
            "start and stop five coordinators, no I/O",
            f"{best(lambda: asyncio.run(start_and_stop_ms())):.1f} ms",
            "< 50 ms",
        )
        tell("idle memory", f"{idle_mb(folder):.0f} MB", "< 120 MB")
        for name, refusal_ms, dispatch_ms in kill_switch():
            tell(f"halt to refusal, p99; {name}", f"{refusal_ms:.2f} ms", "<= 10 ms")
            tell("  to 200 cancels dispatched, p99", f"{dispatch_ms:.1f} ms", "<= 250 ms")
        if importlib.util.find_spec("ccxt") is not None:
            names = (
                "price parsed to order handed over",
                "  decision and journal",
                "  adapter and ccxt",
                "  floor: one bare commit, then ccxt alone",
                "  a bare fsync",
            )
            for name, (count, median_ms, late_ms) in zip(names, tick_to_order(), strict=True):
                target = "< 0.5, < 2 ms" if name == names[0] else "-"
                tell(f"{name}, p50 and p99 of {count}", f"{median_ms:.2f}, {late_ms:.2f} ms", target)
        if not candles.is_file():
            print(f"{candles} is not there: no reference run")
            return
        path = f"exchange.simulated.candles={candles}"
        out, seconds, memory = app("run", "--profile", "benchmark", "--set", path, "--json", folder=folder)
        told = json.loads(out)
        tell("benchmark profile, all checks and guards", f"{told['bars_per_second']:,.0f} bars/s", ">= 100,000 bars/s")
        tell("  the whole process", f"{seconds:.1f} s", "-")
        tell("  peak memory", f"{memory:.0f} MB", "< 300 MB")
        figures = {name: told[name] for name in ("fills", "fees", "balance", "realized_pnl", "unrealized_pnl")}
        print(f"  {figures}")
        if given.nautilus is not None:
            theirs = nautilus(given.nautilus, candles, told["bars"])
            tell("  NautilusTrader on the same bars", f"{theirs:,.0f} bars/s", "-")
            tell("  ours over theirs", f"{told['bars_per_second'] / theirs:.1f}", "-")
        for name, rate, target in event_path(candles, folder):
            tell(name, f"{rate:,.2f}" if rate < 10 else f"{rate:,.0f} a second", target)
        first_s, speed = compiled_figures(candles)
        tell("compiled, first trial (compiles, or loads what was)", f"{first_s:.2f} s", "< 15 s, < 1 s")
        tell("compiled, later trials, indicators included", f"{speed:,.0f} bars/s", ">= 5,000,000 bars/s")
        if MONTH.is_file():
            found = search_of(MONTH, folder)
            tell("optimize, 10,000 trials on a month, two workers", f"{found['seconds']:.1f} s", "< 60 s")
            print(f"  {found['engines']}, handed on: {found['handed_on']}")


def timed(words):
    began = time.perf_counter()
    subprocess.run(words, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
