"""A venue's past is fetched once, whatever interrupts it. The venue is one on loopback."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from app.cli.download import _until_signal
from app.cli.loop import run_loop
from app.domain.times import iso
from tests.builders import BTC

pytest.importorskip("ccxt", reason="the venues' library is not installed: pip install '.[live]'")
from tests.loopback.binance import LoopbackBinance

ROOT = Path(__file__).parents[2]
MINUTE_MS = 60_000
MS_NS = 1_000_000


def price_of(opened_ms):
    """A price that tells its minute."""
    return f"{50_000 + opened_ms // MINUTE_MS % 1000}.5"


@pytest.fixture
async def venue():
    made = await LoopbackBinance().start()
    made.past = price_of
    yield made
    await made.stop()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "market"


def command(venue, folder, minutes, *words, before=2, kind="candles"):
    """Return the command that fetches so many minutes that end ``before`` minutes ago."""
    end_ms = venue.now_ms // MINUTE_MS * MINUTE_MS - before * MINUTE_MS
    period = [iso((end_ms - minutes * MINUTE_MS) * MS_NS), iso(end_ms * MS_NS)]
    return [
        *(sys.executable, "-m", "app", "data", "download", "--venue", "binanceusdm", "--symbol", BTC, "--kind", kind),
        *("--from", period[0], "--to", period[1], "--folder", str(folder), "--json"),
        *("--set", f"exchange.ccxt.url={venue.url}", "--set", "exchange.ccxt.requests_per_s_max=100", *words),
    ]  # fmt: skip


async def begun(words):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
    return await asyncio.create_subprocess_exec(
        *words, env=clean | {"PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def ended(process, code=0):
    out, err = await process.communicate()
    assert process.returncode == code, err.decode()
    return (json.loads(out) if out else None), err.decode()


async def told(words, code=0):
    return await ended(await begun(words), code)


def read(folder, kind="candles"):
    return pl.read_parquet(folder / "BTC_USDT-USDT" / f"{kind}.parquet")


def asked(venue, name="candles"):
    return len(venue.asked(name))


async def test_what_is_fetched_is_what_an_import_would_have_kept(venue, folder):
    """1,234 minutes in three pages; each with the price of its own minute; the second time nothing is asked for."""
    words = command(venue, folder, 1234)
    done, _ = await told(words)
    rows = read(folder)
    assert (done["added"], done["repeated"], done["contents"]["gaps"], len(rows)) == (1234, 0, 0, 1234)
    assert rows.columns == ["ts", "open", "high", "low", "close", "volume"]
    assert [f"{close}" for close in rows["close"]] == [price_of(time // MS_NS) for time in rows["ts"]]
    assert asked(venue) == 3
    assert (await told(words))[0] == {"added": 0, "repeated": 0, "contents": None}
    assert asked(venue) == 3


async def test_only_what_is_missing_is_asked_for(venue, folder):
    """The middle of three stretches was there; around it two pages are enough."""
    await told(command(venue, folder, 100, before=202))
    before = asked(venue)
    done, _ = await told(command(venue, folder, 500))
    assert (done["added"], done["contents"]["rows"], done["contents"]["gaps"]) == (400, 500, 0)
    assert asked(venue) == before + 2


async def test_the_candle_that_is_not_over_is_left_out(venue, folder):
    done, _ = await told(command(venue, folder, 5, before=-3))
    assert done["contents"]["last_ns"] + MINUTE_MS * MS_NS <= venue.now_ns


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 6)])
async def test_an_interrupted_download_goes_on_and_ends_as_one_that_was_not(venue, folder, tmp_path, number, code):
    """60 days of minutes, interrupted after a quarter: what was written is not asked for again."""
    words = command(venue, folder, 86_400)
    process = await begun(words)
    async with asyncio.timeout(120):
        while asked(venue) < 45:  # noqa: ASYNC110 - the venue counts in its own tasks
            await asyncio.sleep(0.01)
    process.send_signal(number)
    _, err = await ended(process, code)
    kept = read(folder)
    assert 20_000 <= len(kept) < 86_400
    assert kept["ts"].is_sorted()
    if number is signal.SIGINT:
        assert f"{len(kept)} rows are kept, and the same command goes on" in err
    before = asked(venue)
    assert (await told(words))[0]["contents"]["rows"] == 86_400
    assert asked(venue) - before <= (86_400 - len(kept)) // 500 + 1
    other = tmp_path / "other"
    again = command(venue, other, 86_400)
    again[again.index("--from") + 1], again[again.index("--to") + 1] = (
        words[words.index("--from") + 1],
        words[words.index("--to") + 1],
    )
    await told(again)
    assert read(folder).equals(read(other))


async def test_marks_have_no_volume_and_settlements_fall_on_seconds(venue, folder):
    end_ms = venue.now_ms // (8 * 60 * MINUTE_MS) * 8 * 60 * MINUTE_MS
    venue.past_rates = [(end_ms - at * 8 * 60 * MINUTE_MS + 3, f"0.000{at}") for at in range(5, 0, -1)]
    await told(command(venue, folder, 60, kind="mark"))
    assert read(folder, "mark").columns == ["ts", "open", "high", "low", "close"]
    words = command(venue, folder, 4000, kind="funding")
    assert (await told(words))[0]["added"] == 5
    assert (await told(words))[0]["repeated"] == 5
    rates = read(folder, "funding")
    assert rates["funding_rate"].to_list() == [0.0005, 0.0004, 0.0003, 0.0002, 0.0001]
    assert all(time % (3600 * 10**9) == 0 for time in rates["ts"])


@pytest.mark.parametrize("kind", ["candles", "mark"])
async def test_a_candle_without_a_number_is_left_out_and_fetched_when_it_has_one(venue, folder, kind):
    """The venue has no number for ten minutes: they are a gap, which the same command fills when it has."""
    hole = venue.now_ms // MINUTE_MS * MINUTE_MS - 50 * MINUTE_MS
    venue.past = lambda opened: "NaN" if hole <= opened < hole + 10 * MINUTE_MS else price_of(opened)
    words = command(venue, folder, 100, kind=kind)
    done, err = await told(words)
    assert (done["added"], done["contents"]["gaps"], done["contents"]["longest_gap_s"]) == (90, 1, 600)
    assert f"10 of 100 rows of {kind} of {BTC} left out" in err
    venue.past = price_of
    done, _ = await told(words)
    assert (done["added"], done["contents"]["rows"], done["contents"]["gaps"]) == (10, 100, 0)


async def test_a_settlement_without_a_rate_is_left_out(venue, folder):
    end_ms = venue.now_ms // (8 * 60 * MINUTE_MS) * 8 * 60 * MINUTE_MS
    venue.past_rates = [(end_ms - 8 * 60 * MINUTE_MS, "NaN"), (end_ms - 16 * 60 * MINUTE_MS, "0.0002")]
    done, err = await told(command(venue, folder, 4000, kind="funding"))
    assert done["added"] == 1
    assert "1 of 2 rows of funding" in err


async def test_gaps_of_the_venue_are_named(venue, folder):
    """Ten minutes in which the venue was down; ``data check`` says which."""
    hole = venue.now_ms // MINUTE_MS * MINUTE_MS - 50 * MINUTE_MS
    venue.past = lambda opened: None if hole <= opened < hole + 10 * MINUTE_MS else price_of(opened)
    done, _ = await told(command(venue, folder, 100))
    assert (done["added"], done["contents"]["gaps"], done["contents"]["longest_gap_s"]) == (90, 1, 600)
    check, _ = await told([sys.executable, "-m", "app", "data", "check", "--folder", str(folder), "--json"])
    assert check[0]["gaps"] == [[hole * MS_NS, (hole + 10 * MINUTE_MS) * MS_NS]]


async def test_a_venue_that_fails_now_and_then_is_asked_again(venue, folder):
    venue.faults += [("candles", "garbage"), ("candles", (429, {"Retry-After": "1"}))]
    done, err = await told(command(venue, folder, 10))
    assert done["added"] == 10
    assert "asked again in 1 s" in err


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"--kind": "trades"}, 2, "there is no kind 'trades': use candles, mark, funding"),
        ({"--symbol": "BTCUSDT"}, 2, "is no symbol"),
        ({"--symbol": "ETH/USDT:USDT"}, 4, "binanceusdm lists no linear perpetual ETH/USDT:USDT"),
        ({"--from": "yesterday"}, 2, "--from 'yesterday' is no time"),
        ({"--from": "2030-01-01"}, 2, "is not before --to"),
        ({"--venue": "mtgox"}, 3, "exchange.ccxt.venue"),
        ({"--venue": "bybit"}, 4, "was never tried"),
    ],
)
async def test_what_is_wrong_is_one_sentence(venue, folder, changes, code, sentence):
    words = command(venue, folder, 10)
    for option, value in changes.items():
        words[words.index(option) + 1] = value
    _, err = await told(words, code)
    assert sentence in err
    assert "Traceback" not in err


def test_without_the_extra_it_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['ccxt'] = None; from app.cli.main import main; main()"
    words = ["data", "download", "--venue", "binanceusdm", "--symbol", BTC, "--from", "2026-01-01"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, env=os.environ | {"XDG_DATA_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (3, "error: a download needs ccxt: pip install '.[live]'\n")


def test_a_second_interruption_does_not_wait_for_what_the_first_one_has_begun(mocker):
    """The work does not end when it is canceled: the venue does not answer the good-bye."""
    done = asyncio.Event()
    aborted = mocker.patch("app.cli.download.abort", side_effect=done.set)

    async def work():
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.wait_for(done.wait(), 10)
            raise

    with pytest.raises(asyncio.CancelledError):
        run_loop(_until_signal(work()))
    assert aborted.call_count == 1
