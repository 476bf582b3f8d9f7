"""A question of many answers may take long: each answer may not."""

import asyncio

import pytest

from app.lifecycle.patience import each_answer_within, note_answer
from app.timing import run_virtual


async def answers(count, each_s):
    for _ in range(count):
        await asyncio.sleep(each_s)
        note_answer()


def test_each_answer_has_its_own_deadline():
    async def asked():
        async with each_answer_within(10):
            await answers(5, 9)
        return asyncio.get_running_loop().time()

    assert run_virtual(asked()) == pytest.approx(45)


def test_an_answer_that_does_not_come_ends_the_question():
    async def asked():
        async with each_answer_within(10):
            await answers(1, 9)
            await asyncio.sleep(11)

    with pytest.raises(TimeoutError):
        run_virtual(asked())


def test_where_nobody_waits_an_answer_is_noted_by_nobody():
    run_virtual(answers(1, 1))


def test_a_question_within_a_question_has_a_deadline_of_its_own():
    async def asked():
        async with each_answer_within(10):
            async with each_answer_within(2):
                await answers(4, 1)
            note_answer()
            await asyncio.sleep(9)

    run_virtual(asked())


def test_a_task_that_outlives_its_question_may_note_answers():
    async def asked():
        async with each_answer_within(10):
            late = asyncio.create_task(answers(1, 20))
        await late

    run_virtual(asked())
