"""What counts as growth, and that all soaks run; the long ones are ``tox -e nightly``."""

import asyncio

import pytest
from loguru import logger

from app.timing import run_virtual
from tests.soak import real, venue, virtual
from tests.soak.vitals import Vitals, growth


def samples(memory=lambda _: 50.0, tasks=lambda _: 10, files=lambda _: 9, count=40):
    return [Vitals(float(at), at, memory(at), tasks(at), files(at)) for at in range(count)]


def test_what_stays_or_comes_and_goes_is_no_growth():
    assert growth(samples()) == []
    assert (
        growth(samples(memory=lambda at: 50 + at % 7, tasks=lambda at: 10 + at % 5, files=lambda at: 9 + at % 3)) == []
    )


def test_what_is_made_at_the_beginning_is_no_growth():
    assert growth(samples(memory=lambda at: min(50 + 10 * at, 120))) == []


@pytest.mark.parametrize("what", ["memory", "tasks", "files"])
def test_what_grows_is_named(what):
    [found] = growth(samples(**{what: lambda at: 10 + 2 * at}))
    assert found.startswith(f"{what} grew by")


def test_too_few_samples_are_no_proof():
    assert growth(samples(count=4)) == ["4 samples are too few to judge"]


@pytest.fixture
def quiet():
    logger.disable("app")
    yield
    logger.enable("app")


def test_some_virtual_minutes(quiet):
    seen = []
    held = run_virtual(virtual.soak(0.1, 10, seen.append))
    assert (len(held), held) == (virtual.SAMPLES, seen)
    assert held[-1].events >= 3600


def test_some_seconds_at_a_venue_and_some_kills(quiet, tmp_path):
    (tmp_path / "kills").mkdir()
    seen = []
    held = asyncio.run(venue.soak(0.04, 100, tmp_path, seen.append))
    assert (len(held), held) == (venue.SAMPLES, seen)
    asyncio.run(venue.kill_often(1, 100, tmp_path / "kills"))


def test_some_real_seconds(quiet, tmp_path):
    seen = []
    held = asyncio.run(real.soak(0.05, 100, tmp_path / "state", seen.append))
    assert (len(held), held) == (real.SAMPLES, seen)
    assert held[-1].events >= 100
