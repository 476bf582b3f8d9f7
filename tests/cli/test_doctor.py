"""The examination before a run: a line for each thing, an exit code, and no run with real keys that fails it."""

import json
import subprocess
import sys

import pytest

from tests.loopback.binance import KEY, SECRET, LoopbackBinance
from tests.loopback.hyperliquid import PRIVATE_KEY, LoopbackHyperliquid
from tests.loopback.profile import command, write_profile


@pytest.fixture
async def venue():
    made = await LoopbackBinance().start()
    yield made
    await made.stop()


@pytest.fixture
def given(venue, tmp_path):
    """A profile's words, and the environment with its keys."""
    profile = tmp_path / "venue.toml"
    environment = write_profile(profile, venue, tmp_path / "state", kind="live")
    return ("--profile", str(profile)), environment


async def test_a_fit_account_passes_every_line(venue, given):
    words, environment = given
    code, said = await command(environment, "doctor", *words, "--json")
    found = {item["name"]: item["verdict"] for item in json.loads(said)}
    assert code == 0, said
    assert set(found.values()) == {"ok"}
    assert found.keys() >= {
        "settings", "keys", "state", "disk", "journal", "connection", "position_mode", "clock", "balance", "trading",
        "withdrawals", "address", "leverage", "account", "size",
    }  # fmt: skip
    assert KEY not in said
    assert SECRET not in said
    assert venue.writes == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda venue: venue.permissions.update(enableWithdrawals=True), "the key can withdraw"),
        (lambda venue: venue.permissions.update(enableFutures=False), "may not trade futures"),
        (lambda venue: setattr(venue, "hedged", True), "hedge mode"),
        (lambda venue: setattr(venue, "key", "another"), "refuses the keys"),
    ],
)
async def test_what_is_not_fit_fails_and_keeps_a_run_from_starting(venue, given, change, line):
    words, environment = given
    change(venue)
    code, said = await command(environment, "doctor", *words)
    assert (code, line in said) == (4, True), said
    code, said = await command(environment, "run", *words, "--plain", "--for", "1s")
    assert (code, "not fit to run" in said, line in said) == (4, True, True), said
    assert not venue.arrived


async def test_what_cannot_be_told_must_be_accepted_by_name(venue, given):
    words, environment = given
    venue.permissions.clear()
    venue.permissions["enableFutures"] = True
    code, said = await command(environment, "doctor", *words)
    assert (code, "--accept NAME" in said) == (4, True), said
    code, said = await command(environment, "doctor", *words, "--accept", "withdrawals")
    assert (code, "(accepted)" in said) == (0, True), said


async def test_sizes_that_the_venue_would_refuse_are_seen_before(venue, given):
    words, environment = given
    venue.step("5000")
    code, said = await command(environment, "doctor", *words)
    # 0.01 coins at 5000 are 50, and the venue takes 100 at least.
    assert code == 4
    assert "fickle on BTC/USDT:USDT: 0.01 contracts, 50.00 USDT; the least is" in said


async def test_keys_in_a_file_or_for_everybody_are_refused(venue, given, tmp_path):
    words, environment = given
    code, said = await command({}, "doctor", *words)
    assert (code, "APP__EXCHANGE__CCXT__API_KEY" in said) == (4, True)
    code, said = await command(environment, "doctor", *words, "--set", f"exchange.ccxt.secret={SECRET}")
    assert (code, "comes from the command line" in said, SECRET in said) == (4, True, False)
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "exchange__ccxt__api_key").write_text(KEY)
    (folder / "exchange__ccxt__api_key").chmod(0o644)
    code, said = await command(environment | {"APP_SECRETS_DIR": str(folder)}, "doctor", *words)
    assert (code, "everybody can read" in said) == (4, True), said


async def test_a_venue_that_does_not_answer_is_a_line_and_no_traceback(venue, given):
    words, environment = given
    await venue.stop()
    code, said = await command(environment, "doctor", *words)
    assert (code, "Traceback" in said) == (4, False), said


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_default_profile_needs_no_ccxt():
    """Neither to run nor to be examined: it costs 0.6 s and 100 MB."""
    run = (
        "import sys; from app.cli.run import run_bot\n"
        "words = ['storage.backend=memory', 'exchange.simulated.speed=0']\n"
        "code = run_bot(None, words, None, '60s', plain=True, as_json=True)\n"
        "sys.exit(code or 'ccxt' in sys.modules)"
    )
    done = python(run)
    assert done.returncode == 0, done.stderr


def test_a_missing_library_gets_one_sentence_with_its_command():
    block = "import sys; sys.modules['ccxt'] = None; sys.argv = ['perps-bot', 'run', '--profile', 'paper', '--plain']\n"
    done = python(block + "from app.cli import main; main()")
    assert done.returncode == 3
    assert done.stderr.strip() == "error: exchange.adapter = paper needs ccxt: pip install '.[live]'"


@pytest.fixture
async def hyperliquid():
    made = await LoopbackHyperliquid().start()
    yield made
    await made.stop()


@pytest.mark.parametrize(
    ("key", "code", "line"),
    [
        (PRIVATE_KEY, 0, "an agent cannot withdraw"),
        ("0x" + "33" * 32, 4, "no agent's of the account"),
    ],
)
async def test_hyperliquid_is_traded_at_by_an_agent_of_the_account(hyperliquid, tmp_path, key, code, line):
    profile = tmp_path / "venue.toml"
    environment = write_profile(profile, hyperliquid, tmp_path / "state", kind="live")
    environment["APP__EXCHANGE__CCXT__PRIVATE_KEY"] = key
    ended, said = await command(environment, "doctor", "--profile", str(profile))
    assert (ended, line in said, key in said) == (code, True, False), said
    assert hyperliquid.writes == []


async def test_paper_is_examined_at_its_venue(venue, tmp_path):
    """It needs no keys, and a network: without one, the run would not start."""
    profile = tmp_path / "venue.toml"
    environment = write_profile(profile, venue, tmp_path / "state", adapter="paper", kind="paper")
    code, said = await command(environment, "doctor", "--profile", str(profile))
    assert (code, "connection     binanceusdm answers, and lists all symbols" in said) == (0, True), said
    symbols = ("--set", "strategies.fickle.symbols=DOGE/USDT:USDT")
    code, said = await command(environment, "doctor", "--profile", str(profile), *symbols)
    assert (code, "DOGE/USDT:USDT" in said) == (4, True), said
    await venue.stop()
    code, said = await command(environment, "doctor", "--profile", str(profile))
    assert (code, "failed   connection" in said) == (4, True), said
