"""``kill -9`` at any moment: no order is lost, none is sent twice, and the books are the exchange's."""

import pytest

from tests.kill.harness import kill_often

KILLS = 25
KILLS_ON_A_SERVER = 8


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_bot_that_is_killed_again_and_again_loses_no_order_and_sends_none_twice(tmp_path, seed):
    """Two rigs, so that two workers can kill side by side; ``run.py`` kills as often as you like."""
    seen = await kill_often(tmp_path, seed, KILLS)

    assert sum(seen.kills.values()) == KILLS
    assert {"early", "submit", "fill"} <= seen.kills.keys()
    assert (seen.duplicates, seen.orphans) == (0, 0)
    # A run in which nothing happened would prove nothing.
    assert seen.orders > KILLS
    assert seen.fills_unseen > 0


async def test_a_bot_that_is_killed_on_a_server_loses_no_order_either(tmp_path, server):
    """Each restart waits for the dead bot's lease to end."""
    seen = await kill_often(tmp_path, 3, KILLS_ON_A_SERVER, url=server.url())

    assert sum(seen.kills.values()) == KILLS_ON_A_SERVER
    assert (seen.duplicates, seen.orphans) == (0, 0)
    assert seen.orders > KILLS_ON_A_SERVER
