"""What a venue keeps, read page by page: a venue of rows, and a line that takes no time unless a test says so."""

import asyncio
from contextlib import contextmanager
from operator import itemgetter

import pytest

from app.coordinators.bounded_account import BoundedAccount
from app.exchanges.ccxt.account import _payment_key, settlements
from app.exchanges.ccxt.kept import STRETCH_MS, Kept, all_since
from app.exchanges.ccxt.limiter import Limiter
from app.exchanges.ccxt.line import Line as AdapterLine
from app.lifecycle.patience import each_answer_within, note_answer
from app.ports.connection import ExchangeUnavailable
from app.timing import run_virtual
from tests.builders import START_NS, funding_paid
from tests.fakes.exchange import FakeExchange

MOST = 5
NOW_MS = 2_000_000_000_000
HOUR_MS = 3_600_000
PAST_MS = NOW_MS - 240 * HOUR_MS


class Line:
    """Answers after so many seconds, and counts."""

    def __init__(self, takes_s=0.0):
        self.takes_s = takes_s
        self.asked = 0

    async def read(self, ask, translate):
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        answer = translate(await ask())
        note_answer()
        return answer

    @contextmanager
    def reading(self):
        yield


def kept(times_ms, *, by_key=True, stretch_ms=STRETCH_MS):
    """Return rows of a venue that says nothing of what came a stretch after the time asked for; their keys count up."""
    rows = [{"id": str(number), "timestamp": time_ms} for number, time_ms in enumerate(times_ms, 9)]

    async def ask(since_ms, most):
        return [row for row in rows if since_ms <= row["timestamp"] <= since_ms + stretch_ms][:most]

    async def ask_from(key, most):
        return [row for row in rows if int(row["id"]) >= int(key)][:most]

    return Kept("trades of X", itemgetter("id"), MOST, ask, ask_from if by_key else None)


async def read(of, line=None):
    return [row["timestamp"] for row in await all_since(line or Line(), of, PAST_MS * 1_000_000, NOW_MS * 1_000_000)]


MOMENT = PAST_MS + HOUR_MS
CROWDED = {
    "a page of one moment": [MOMENT] * MOST,
    "more than a page": [MOMENT] * (MOST + 1),
    "three pages, with others around": [MOMENT - 1, *[MOMENT] * (3 * MOST), MOMENT + 1],
    "two such moments in a row": [MOMENT] * (2 * MOST) + [MOMENT + 1] * (2 * MOST),
    "the first moment of all": [PAST_MS] * (MOST + 2) + [PAST_MS + 50 * HOUR_MS],
    "with others hours later": [MOMENT] * (MOST + 2) + [MOMENT + hours * HOUR_MS for hours in (1, 50, 99, 230)],
}


@pytest.mark.parametrize("times_ms", CROWDED.values(), ids=CROWDED)
async def test_a_moment_that_does_not_go_on_a_page_is_read_to_its_end_by_keys(times_ms, warned):
    assert await read(kept(times_ms)) == times_ms
    assert warned == []


@pytest.mark.parametrize("times_ms", CROWDED.values(), ids=CROWDED)
async def test_where_time_is_all_there_is_what_may_be_hidden_is_told_and_nothing_else_is_lost(times_ms, warned):
    found = await read(kept(times_ms, by_key=False))
    assert set(found) == set(times_ms)
    for time_ms in set(times_ms):
        assert found.count(time_ms) == min(times_ms.count(time_ms), MOST)
    assert len(warned) == len({time_ms for time_ms in times_ms if times_ms.count(time_ms) >= MOST})
    assert all("trades of X may be missing: 5 are of 2033-" in line for line in warned)


async def test_a_venue_that_does_not_know_the_key_that_it_gave_is_told(warned):
    """It forgets by key what it still has by time."""
    of = kept([MOMENT] * (MOST + 1))

    async def nothing(key, most):
        return []

    assert await read(Kept(of.what, of.key, of.most, of.ask, nothing)) == [MOMENT] * MOST
    assert len(warned) == 1


def test_a_past_of_many_pages_is_read_however_long_that_takes_and_told():
    """Three pages of 9 s each where an answer may take 10."""
    told, line = [], Line(takes_s=9.0)

    class Slow(FakeExchange):
        async def fills_since(self, time_ns):
            return await read(kept([]), line)

    async def ask():
        await BoundedAccount(Slow(), 10.0).fills_since(0)
        return asyncio.get_running_loop().time()

    from loguru import logger

    number = logger.add(lambda line: told.append(line.record["message"]), level="INFO")
    try:
        assert run_virtual(ask()) == 9.0 * line.asked == 27.0
    finally:
        logger.remove(number)
    assert told[0] == "trades of X are read since 2033-05-08T03:33:20Z, page by page"
    assert [line[:31] for line in told[1:]] == ["trades of X are read up to 2033"] * 2


@pytest.mark.parametrize("takes_s", [11.0, 3600.0])
def test_a_page_that_does_not_come_ends_the_patience(takes_s):
    class Slow(FakeExchange):
        async def fills_since(self, time_ns):
            return await read(kept([]), Line(takes_s))

    async def ask():
        with pytest.raises(ExchangeUnavailable, match="no answer within 10 s"):
            await BoundedAccount(Slow(), 10.0).fills_since(0)
        return asyncio.get_running_loop().time()

    assert run_virtual(ask()) == 10.0


async def test_an_answer_that_nobody_waits_for_any_more_moves_no_deadline():
    """A task that a question began has outlived it."""
    left = []

    class Begins(FakeExchange):
        async def balance(self):
            left.append(asyncio.create_task(note_later()))

    async def note_later():
        await asyncio.sleep(0)
        note_answer()

    await BoundedAccount(Begins(), 10.0).balance()
    await left[0]


def test_each_answer_over_a_line_has_its_own_deadline():
    """The line of the adapter itself, and five pages of three seconds each."""

    async def page():
        await asyncio.sleep(3)
        return []

    async def asked():
        line = AdapterLine(None, "x", Limiter(100, 100), lambda: None)
        async with each_answer_within(10):
            for _ in range(5):
                await line.read(page, list)

    run_virtual(asked())


@pytest.mark.parametrize("gives", [2, 50, 100])
async def test_a_venue_that_gives_fewer_rows_than_were_asked_for_is_asked_until_there_is_nothing_new(gives, warned):
    """300 trades, a minute apart, where 500 were asked for."""
    times_ms = [PAST_MS + minute * 60_000 for minute in range(300)]
    rows = [{"id": f"t{number}", "timestamp": time_ms} for number, time_ms in enumerate(times_ms)]

    async def ask(since_ms, most):
        return [row for row in rows if row["timestamp"] >= since_ms][: min(most, gives)]

    assert await read(Kept("trades of X", itemgetter("id"), 500, ask)) == times_ms
    assert warned == []


async def test_a_venue_that_gives_the_newest_rows_first_hides_none_in_silence(warned):
    """The newest 100 of 300: nothing leads to the others by time alone."""
    rows = [{"id": f"t{number}", "timestamp": PAST_MS + number * 60_000} for number in range(300)]

    async def ask(since_ms, most):
        return [row for row in rows if row["timestamp"] >= since_ms][-min(most, 100) :]

    assert len(await read(Kept("trades of X", itemgetter("id"), 500, ask))) == 100
    assert [line.partition(" may be missing")[0] for line in warned] == ["trades of X before 2033-05-08T08:32:20Z"]


@pytest.mark.parametrize(("times_ms", "asked"), [([], 1), ([NOW_MS - HOUR_MS], 2), ([NOW_MS - HOUR_MS, NOW_MS], 2)])
async def test_a_short_past_takes_one_question_and_one_more_where_something_was_told(times_ms, asked):
    line, since_ms = Line(), NOW_MS - 2 * HOUR_MS
    found = await all_since(line, kept(times_ms), since_ms * 1_000_000, NOW_MS * 1_000_000)
    assert ([row["timestamp"] for row in found], line.asked) == (times_ms, asked)


@pytest.mark.parametrize("count", [1, MOST, 3 * MOST])
@pytest.mark.parametrize("by_key", [False, True])
async def test_a_venue_that_says_the_same_whatever_it_is_asked_is_read_to_an_end(count, by_key):
    """Ten days are three stretches."""
    rows = [{"id": str(number), "timestamp": NOW_MS - HOUR_MS} for number in range(count)]
    line = Line()

    async def ask(*_):
        return rows

    of = Kept("trades of X", itemgetter("id"), MOST, ask, ask if by_key else None)
    assert await read(of, line) == [NOW_MS - HOUR_MS] * count
    assert line.asked <= 6


async def test_two_payments_of_one_moment_are_two_and_one_that_is_told_twice_is_one():
    """Some venues number payments, some do not, and some give all of them the same number."""
    told = [(None, "1"), (None, "2"), ("a", "1"), ("b", "1"), ("a", "1")]
    rows = [{"id": name, "timestamp": MOMENT, "amount": amount} for name, amount in told]

    async def ask(since_ms, most):
        return [row for row in rows if row["timestamp"] >= since_ms]

    assert len(await read(Kept("payments of X", _payment_key, 100, ask))) == 4


def test_payments_of_one_moment_are_booked_as_one():
    """The books know a settlement by its moment, and would leave the second one out."""
    one, other = funding_paid(amount="-1"), funding_paid(amount="-2")
    later = funding_paid(amount="-4", time_ns=START_NS + 3600 * 10**9)
    assert [paid.amount for paid in settlements([one, other, later])] == [-3, -4]
