"""A recorded run, fed to a fresh bot, gives the same decisions and the same state, byte for byte."""

import json

import pytest
from loguru import logger
from typer.testing import CliRunner

from app.bot import PerpsBot
from app.cli.main import app
from app.cli.replay import replay_file
from app.domain.events import FlattenCommand
from app.recording import UnreadableTape
from app.settings import load_settings
from app.simulation import Fault, FaultKind, Plan, plan_of, run_plan
from app.simulation.faults import CRASH_KINDS
from app.simulation.world import World
from app.timing import run_virtual

RESTARTING = {
    *CRASH_KINDS,
    FaultKind.STOP,
    FaultKind.HALT,
    FaultKind.STREAM_BREAKS,
    FaultKind.STRATEGY_RAISES,
    FaultKind.TASK_DIES,
}
STORE = {FaultKind.STORE_FULL, FaultKind.STORE_LOCKED}
EVERYTHING_ELSE = tuple(kind for kind in FaultKind if kind not in RESTARTING | STORE)


@pytest.fixture(autouse=True)
def logs_afterwards():
    yield
    logger.remove()
    logger.enable("app")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Two hours of the generated market, traded with three strategies."""
    folder = tmp_path_factory.mktemp("recorded")
    path = folder / "run.jsonl"
    settings = (f"telemetry.record_stream={path}", f"storage.folder={folder / 'state'}", "exchange.simulated.speed=0")
    words = ["run", "--plain", "--for-virtual", "2h", *(word for item in settings for word in ("-s", item))]
    assert CliRunner().invoke(app, words).exit_code == 0
    return path


def lines_of(path):
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


def written(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def told(path):
    """What the command says of a file, and its exit code."""
    result = CliRunner().invoke(app, ["replay", str(path)])
    return result.exit_code, result.output


def test_a_recorded_run_replays_equal(recorded):
    code, output = told(recorded)
    assert (code, output.partition(":")[0]) == (0, "equal")
    kinds = [line["type"] for line in lines_of(recorded)]
    assert kinds.count("submit") >= 10
    assert kinds[-1] == "end"


def test_a_recorded_restart_begins_with_what_was_remembered(recorded, tmp_path):
    """The second run on the same state folder reads memories of the first; its replay begins with them."""
    path = tmp_path / "again.jsonl"
    settings = (
        f"telemetry.record_stream={path}",
        f"storage.folder={recorded.parent / 'state'}",
        "exchange.simulated.speed=0",
    )
    words = ["run", "--plain", "--for-virtual", "1h", *(word for item in settings for word in ("-s", item))]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert {"risk", "execution"} <= {line["owner"] for line in lines_of(path) if line["type"] == "memory"}
    assert told(path)[0] == 0


class OperatedWorld(World):
    """Flattens as the operator does, over the stream; the simulator's own way is a call that leaves no trace."""

    def __init__(self, *given):
        super().__init__(*given)
        self._course._acts_on_bot[FaultKind.FLATTEN] = lambda life, _: self._post(life)

    async def _wind_up(self, life):
        self._post(life)
        await super()._wind_up(life)

    def _post(self, life):
        life.bot.runtime.post(FlattenCommand(life.context.clock.now_ns, tuple(life.context.instruments)))


def live_through(plan, loaded):
    """Run a plan as ``run_plan`` does. At the end nothing is left that the simulator could flatten by itself."""

    async def run():
        return await OperatedWorld(plan, loaded).run()

    return run_virtual(run())


@pytest.mark.parametrize(("seed", "holds"), [(3, True), (11, True), (3, False)])
def test_a_simulated_hour_without_a_crash_replays_equal(tmp_path, mocker, seed, holds):
    """Orders that nobody answered, events twice, late or missing, cancels lost: all of it is on the record."""
    mocker.patch.object(PerpsBot, "execution", property(lambda bot: Untouched(bot._lifecycle.coordinator("execution"))))
    path = tmp_path / "run.jsonl"
    faults = tuple(
        Fault(kind, 200.0 + 100.0 * place, 3.0, seed * 1000 + place) for place, kind in enumerate(EVERYTHING_ELSE)
    )
    loaded = load_settings("simulation", [f"telemetry.record_stream={path}"])
    logger.disable("app")
    outcome = live_through(Plan(seed, faults, holds_trailing_stops=holds), loaded)
    assert (outcome.what, outcome.starts) == ("", 1)

    replayed = replay_file(path)
    assert (replayed.difference, replayed.cut) == (None, None)
    assert replayed.lines >= outcome.events


class Untouched:
    """An execution coordinator that nobody flattens by a call."""

    def __init__(self, execution):
        self._execution = execution

    def __getattr__(self, name):
        return getattr(self._execution, name)

    def flatten(self, reason):
        """Do nothing: the command comes over the stream."""


def test_recording_changes_no_decision_of_a_seed_without_faults(tmp_path):
    """Where nothing is slow and nothing fails, orders and fills are as without a record."""
    plan = Plan(5, ())
    loaded = load_settings("simulation", [f"telemetry.record_stream={tmp_path / 'run.jsonl'}"])
    recorded, plain = run_plan(plan, loaded), run_plan(plan, load_settings("simulation", []))
    assert (recorded.orders, recorded.fills) == (plain.orders, plain.fills)
    assert plan_of(5).seed == 5


@pytest.mark.parametrize(
    ("kind", "change", "named"),
    [
        ("submit", lambda line: line["order"].update(contracts="77"), "the bot did"),
        ("end", lambda line: line["final"].update(risk="{}"), "risk differ"),
        ("end", lambda line: line["final"].update(digest="0" * 64), "digest differ"),
    ],
)
def test_a_tampered_record_is_told_where(recorded, tmp_path, kind, change, named):
    lines = lines_of(recorded)
    place = next(place for place, line in enumerate(lines) if line["type"] == kind)
    change(lines[place])
    code, output = told(written(tmp_path / "tampered.jsonl", lines))
    assert code == 1
    assert f"line {place + 1}: " in output
    assert named in output


def test_a_changed_price_is_noticed(recorded, tmp_path):
    lines = lines_of(recorded)
    place = next(p for p, line in enumerate(lines) if line["type"] == "event" and line["event"]["type"] == "Fill")
    lines[place]["event"]["price"] = "1"
    assert told(written(tmp_path / "tampered.jsonl", lines))[0] == 1


def test_a_line_that_is_missing_is_noticed(recorded, tmp_path):
    lines = lines_of(recorded)
    place = next(place for place, line in enumerate(lines) if line["type"] == "submit")
    del lines[place]
    code, output = told(written(tmp_path / "tampered.jsonl", lines))
    assert (code, f"line {place + 1}: " in output) == (1, True)


def test_an_order_that_the_bot_does_not_send_any_more_is_named(recorded, tmp_path):
    lines = lines_of(recorded)
    place = next(place for place, line in enumerate(lines) if line["type"] == "submit")
    lines.insert(place + 20, lines[place])
    code, output = told(written(tmp_path / "tampered.jsonl", lines))
    assert code == 1
    assert "the record has" in output or "does not go on" in output


def test_a_record_that_a_kill_has_cut_replays_as_far_as_it_goes(recorded, tmp_path):
    text = recorded.read_bytes()
    path = tmp_path / "cut.jsonl"
    path.write_bytes(text[: len(text) // 2])
    code, output = told(path)
    assert code == 0
    assert output.startswith("equal as far as the record goes")


def test_what_comes_after_the_end_is_refused_and_not_passed_over(recorded, tmp_path):
    lines = lines_of(recorded)
    code, output = told(written(tmp_path / "longer.jsonl", [*lines, lines[-2]]))
    assert code == 2
    assert f"line {len(lines) + 1} comes after the end of the record" in " ".join(output.split())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ('{"type":"hea', "its first line is cut off, if it is a record of a run at all"),
        ("{}\n", "it is no record of a run, as telemetry.record_stream makes one"),
        ("no json\n", "it is no record of a run, as telemetry.record_stream makes one"),
        ('{"type":"cut","why":"x"}\n', "line 1 is out of place"),
    ],
)
def test_what_is_no_record_is_refused_in_one_sentence(tmp_path, text, why):
    path = tmp_path / "strange.jsonl"
    path.write_text(text, encoding="utf-8")
    code, output = told(path)
    assert (code, " ".join(output.split())) == (2, f"error: {path} cannot be replayed: {why}")


def test_a_line_that_is_none_is_named(recorded, tmp_path):
    head, *_ = recorded.read_text(encoding="utf-8").splitlines()
    path = tmp_path / "strange.jsonl"
    path.write_text(f"{head}\nno json\n", encoding="utf-8")
    code, output = told(path)
    assert (code, "line 2 is none of a record (" in output) == (2, True)


def test_a_missing_file_and_another_version_are_refused(recorded, tmp_path):
    assert told(tmp_path / "nowhere.jsonl")[0] == 2
    lines = lines_of(recorded)[:5]
    lines[0]["version"] = 99
    with pytest.raises(UnreadableTape, match="version 99"):
        replay_file(written(tmp_path / "later.jsonl", lines))
