"""How far a backtest is, as a terminal shows it; a pipe shows nothing."""

import asyncio
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from loguru import logger

from app.backtest import Backtest
from app.cli.backtest import backtest_settings
from app.domain.market import SECOND_NS
from tests.builders import START_NS

MINUTES = 20_000


@pytest.fixture(scope="module")
def candles(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "candles.csv"
    rows = (f"{START_NS + minute * 60 * SECOND_NS},100,101,99,100" for minute in range(MINUTES))
    path.write_text("\n".join(["ts,open,high,low,close", *rows]))
    return path


def test_what_is_told_rises_from_nothing_to_all_of_the_data(candles):
    logger.remove()
    loaded = backtest_settings(None, [f"exchange.simulated.candles={candles}"], "trend")
    told = []
    asyncio.run(Backtest(loaded).run(lambda part, time_ns: told.append((part, time_ns))))
    assert told == sorted(told)
    assert 0 < told[0][0] < told[-1][0] <= 1
    part, time_ns = told[-1]
    assert part == pytest.approx((time_ns - START_NS) / (MINUTES * 60 * SECOND_NS), abs=1e-3)


@pytest.mark.parametrize(("words", "shown"), [((), True), (("--json",), False)])
def test_a_terminal_sees_a_bar_on_stderr_unless_a_machine_reads(candles, tmp_path, words, shown):
    terminal, stderr = pty.openpty()
    command = [sys.executable, "-m", "app", "backtest", "--candles", str(candles), "--strategy", "trend", *words]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"},
    ) as process:
        os.close(stderr)
        seen = b""
        while True:
            try:
                seen += os.read(terminal, 4096)
            except OSError:  # the other end is closed
                break
        told = process.stdout.read()
    os.close(terminal)
    assert process.returncode == 0
    assert (b"2026-01" in seen) is shown
    assert b"\x1b" not in told
