"""What a venue lists is gone by only where orders can be made by it."""

import copy

import pytest

from app.ports.connection import ExchangeUnavailable
from tests.contracts.benches import LoopbackBench


def steps(**fields):
    """Return what makes the filters of sizes say something else."""

    def spoil(listed):
        for of in listed["filters"]:
            if "stepSize" in of:
                of.update(fields)

    return spoil


UNUSABLE = {
    "a lot of zero": steps(stepSize="0"),
    "a negative lot": steps(stepSize="-0.001"),
    "a lot that is no number": steps(stepSize="NaN"),
    "a tick of zero": lambda listed: listed["filters"][0].update(tickSize="0.0"),
    "a largest order below the smallest": steps(maxQty="0.0001"),
    "a negative largest order": steps(maxQty="-5"),
}


def lists(venue, spoil):
    """Have a venue list its market in another way from now on."""
    good = venue._exchange_info

    def spoiled():
        told = copy.deepcopy(good())
        spoil(told["symbols"][0])
        return told

    venue._exchange_info = spoiled


@pytest.mark.parametrize("spoil", UNUSABLE.values(), ids=UNUSABLE)
async def test_a_start_on_terms_that_nothing_can_be_traded_by_is_refused_in_one_sentence(spoil):
    bench = LoopbackBench(key_refresh_s=60.0)
    lists(bench.venue, spoil)
    try:
        with pytest.raises(ExchangeUnavailable, match=r"^binanceusdm gave an unreadable answer: "):
            await bench.open()
    finally:
        await bench.close()
