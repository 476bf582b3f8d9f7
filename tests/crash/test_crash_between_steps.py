"""A crash between any two steps of a submit, a cancel, a fill, a halt, a stop and a restart loses and doubles nothing.

Each script is played once undisturbed, which counts its moments: right before and right after every append, commit,
request, question and event. Then it is played again for each of them: the process is killed there, and the bot is
restarted on the same store and venue. ``CRASH_EVERY=1`` tries every moment (minutes); without it, every fifth.
"""

import os

import pytest
from loguru import logger

from app.simulation.invariants import Violation
from app.timing import run_virtual
from tests.crash.scripts import FIRST_SETTINGS, SCRIPTS
from tests.crash.stage import WANTED, Stage
from tests.crash.steps import Moments

EVERY = int(os.environ.get("CRASH_EVERY", "5"))


@pytest.fixture(autouse=True)
def quiet():
    """Hundreds of bots would log."""
    logger.disable("app")
    yield
    logger.enable("app")


def play(name, crash_at=None):
    """Play a script; return the stage as it is in the end."""

    async def run():
        stage = Stage(SCRIPTS[name], Moments(crash_at), FIRST_SETTINGS.get(name, ()))
        await stage.play()
        return stage

    return run_virtual(run())


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_crash_between_two_steps_loses_and_doubles_nothing(name):
    count = len(play(name).moments.names)
    assert count >= 150
    broken = []
    for crash_at in range(list(SCRIPTS).index(name) % EVERY, count, EVERY):
        try:
            stage = play(name, crash_at)
        except Violation as violation:
            broken.append(f"crash at moment {crash_at} of {count}: {violation}")
        else:
            assert stage.crashes == 1
            assert stage.held <= WANTED
    assert broken == []


@pytest.mark.parametrize(
    ("name", "held", "halted"),
    [
        ("entry filled in two parts", "1", False),
        ("working entry canceled", "0", False),
        ("part of an entry canceled, the rest left", "0", False),
        ("stop-loss filled", "0", False),
        ("take-profit filled", "0", False),
        ("halted with working orders", "0.4", True),
        ("halted with nothing working", "1", True),
        ("flattened", "0", False),
        ("stopped, cancel", "0.4", False),
        ("stopped, keep", "1", False),
        ("stopped, flatten", "0", False),
        ("restarted with another parameter", "1", False),
    ],
)
def test_undisturbed_a_script_does_what_it_is_called(name, held, halted):
    stage = play(name)
    assert (str(stage.held.normalize()), stage.is_halted, stage.crashes) == (held, halted, 0)


def test_every_kind_of_step_is_among_the_moments():
    names = {name for script in ("flattened", "halted with working orders") for name in play(script).moments.names}
    for step in (
        "submit entry",
        "cancel entry",
        "commit",
        "balance",
        "positions",
        "open_orders",
        "fills_since",
        "Fill",
    ):
        assert {f"before {step}", f"after {step}"} <= names
    assert {"before append OrderIntended", "after append OrderIntended", "before HaltCommand"} & names


def test_the_same_crash_is_the_same_run():
    """What is found can be looked at again."""
    one, other = play("flattened", 120), play("flattened", 120)
    assert one.moments.names == other.moments.names
    assert one.store.records == other.store.records
