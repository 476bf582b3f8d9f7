"""A bot that is killed leaves a prefix of what it appended, with all that it was promised."""

import subprocess
import sys

import pytest

from app.storage import ServerPlace, read_summary, rebuild_projections
from tests.storage.looking import let_lease_expire
from tests.storage.test_rebuild import dump

BOT = """
import asyncio, pathlib, sys
from functools import partial
from app.domain.records import OrderSent
from pydantic import SecretStr
from app.storage import ServerPlace, open_journal
from tests.storage.records import filled, intended

threaded = sys.argv[2] == "threaded"
where = sys.argv[1]
place = ServerPlace(url=SecretStr(where), schema="perps_main") if "://" in where else pathlib.Path(where)
journal = open_journal(place, "main", threaded=threaded, busy_timeout_s=5)

last = 0

def promise(number):
    global last
    last = number
    print(number, flush=True)

async def trade():
    for number in range(1_000_000):
        order_id = f"main-1-{number:06d}"
        ticket = journal.append(intended(order_id, "1"))
        ticket.when_durable(partial(promise, number))
        journal.append(OrderSent(order_id, 1))
        journal.append(*filled(f"t{number}", order_id))
        if number % 10 == 0:
            await asyncio.sleep(0.001)
        while number - last > 500:  # a writer that falls behind for good would be taken for one that hangs
            await asyncio.sleep(0.001)

asyncio.run(trade())
"""


@pytest.mark.parametrize("mode", ["threaded", "synchronous"])
@pytest.mark.parametrize("promises", [1, 57])
def test_kill_9_keeps_a_prefix_with_everything_that_was_promised(place, opened, mode, promises):
    where = place.url.get_secret_value() if isinstance(place, ServerPlace) else str(place)
    bot = subprocess.Popen([sys.executable, "-c", BOT, where, mode], stdout=subprocess.PIPE, text=True)
    for _ in range(promises):
        bot.stdout.readline()
    bot.kill()
    rest, _ = bot.communicate()
    promised = promises + sum(1 for line in rest.splitlines(keepends=True) if line.endswith("\n"))

    summary = read_summary(place, recent=1_000_000)
    orders = [order.order.client_order_id for order in summary.recent_orders][::-1]
    fills = [fill.trade_id for fill in summary.recent_fills][::-1]
    assert orders == [f"main-1-{number:06d}" for number in range(len(orders))]
    assert fills == [f"t{number}" for number in range(len(fills))]
    assert len(orders) >= promised
    assert len(orders) - len(fills) in {0, 1}

    if isinstance(place, ServerPlace):
        let_lease_expire(place)
    live = dump(place)
    rebuild_projections(place, busy_timeout_s=1)
    assert dump(place) == live
    assert opened().recovered().epoch == 2
