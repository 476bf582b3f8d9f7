"""Runs a plan of the fault simulator with the real ccxt adapter, and the real ccxt, in the loop."""

import asyncio
import time
from contextlib import contextmanager
from random import Random

import pytest

import app.exchanges.ccxt.session as session_module
import app.exchanges.ccxt.watch as watch_module
from app.domain.market import SECOND_NS
from app.lifecycle import wall_time
from app.settings import load_settings
from app.simulation import plan_of, run_plan
from app.simulation.restless import Restless
from app.simulation.venue import START_NS
from app.strategies.strategy import Feed, Subscription
from tests.simulation.ccxt.binance import SimulatedBinance
from tests.simulation.ccxt.link import CcxtLink
from tests.simulation.ccxt.wire import Session


class RestlessByMarks(Restless):
    """Changes its mind by marks, for the adapter hears no trades."""

    def subscriptions(self):
        return (Subscription(Feed.MARKS),)

    def on_mark(self, mark, view):
        return self.on_trade(mark, view)


LOADED = load_settings(
    "simulation",
    [
        f"strategies.restless.strategy={__name__}.RestlessByMarks",
        # A mark comes every twenty seconds.
        "strategies.restless.params.every=3",
        "exchange.ccxt.stream_silence_s_max=60",
        "exchange.ccxt.api_key=key",
        "exchange.ccxt.secret=secret",
    ],
)


def run(plan, show=None):
    """Return what came of a plan."""
    servers = []

    def make_link(venue, random, take, valid_s):
        if not servers:
            # Whatever the plan says: the adapter holds none.
            venue.holds_trailing_stops = False
            servers.append(SimulatedBinance(venue))
        link = CcxtLink(servers[0], LOADED.settings, random, take, valid_s)
        wires.append(link.wire)
        return link

    wires = []
    with _edges_replaced(plan.seed, wires):
        return run_plan(plan, LOADED, show, make_link)


def run_seed(seed, show=None):
    return run(plan_of(seed), show)


@contextmanager
def _edges_replaced(seed, wires):
    """Put the loop's time in the place of the machine's, a seed in that of chance, and the wire below ccxt."""

    def since_boot_ns():
        return int(asyncio.get_running_loop().time() * SECOND_NS)

    def time_ns():
        return START_NS + since_boot_ns()

    open_client = session_module.open_client

    def open_on_wire(settings, *, valid_s, with_keys):
        client = open_client(settings, valid_s=valid_s, with_keys=with_keys)
        client.session, client.own_session, client.verify = Session(wires[-1]), False, False
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time_ns", time_ns)
        patch.setattr(wall_time, "_BOOTED_NS", START_NS)
        patch.setattr(wall_time, "_since_boot_ns", since_boot_ns)
        patch.setattr(time, "time", lambda: time_ns() / SECOND_NS)
        patch.setattr(watch_module, "random", Random(f"watch:{seed}").random)
        patch.setattr(session_module, "open_client", open_on_wire)
        yield
