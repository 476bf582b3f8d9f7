"""A venue that answers every question with what was written down, over real sockets; and a websocket that is none."""

import contextlib

from aiohttp import web

from app.domain.margin import MarginMode
from app.exchanges.ccxt.account import CcxtAccount
from app.exchanges.ccxt.client import close_client, open_client
from app.exchanges.ccxt.limiter import Limiter
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.order_facts import OrderFacts
from app.exchanges.ccxt.translate import instrument_from
from app.exchanges.ccxt.venues import VENUES
from app.settings.ccxt import CcxtSettings
from app.settings.models import AccountSettings

NOW_NS = 1_790_000_000_000_000_000
"""The messages are of about then: 2026-09-21."""


class Socket:
    """Takes what ccxt makes of a message."""

    def __init__(self):
        self.url, self.subscriptions, self.futures = "", {}, {}
        self.made = {}

    def resolve(self, made, name):
        self.made[name] = list(made) if isinstance(made, list) else made

    def reject(self, error, name=None):
        raise error


class Recorded:
    """A client and a reader of the account, at a venue of which the answers were written down."""

    def __init__(self, sample):
        self.sample = sample
        self.asked = []
        self.answers = dict(sample.ANSWERS)

    async def _answer(self, request):
        whole = request.path + ("?" + request.query_string if request.query_string else "")
        self.asked.append((request.method, whole, await request.text()))
        # The longest that fits: a path with a part of its query before the path alone.
        for part in sorted(self.answers, key=len, reverse=True):
            if all(piece in whole for piece in part.split(" ")):
                status, said = said if isinstance(said := self.answers[part], tuple) else (200, said)
                return web.json_response(said, status=status)
        return web.json_response({"nobody": "wrote this down"}, status=404)

    def tell(self, message):
        """Have ccxt take in a message of a websocket; return what it makes of it, by name."""
        socket = Socket()
        self.client.handle_message(socket, message)
        return socket.made


@contextlib.asynccontextmanager
async def recorded(sample):
    """Open a client at the venue of a sample."""
    made = Recorded(sample)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made._answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    settings = CcxtSettings(venue=sample.VENUE, experimental=True, url=url, **sample.KEYS)
    made.client = open_client(settings, valid_s=5, with_keys=True)
    limiter = Limiter(100, 100)
    try:
        made.venue = VENUES[sample.VENUE]
        made.line = Line(made.client, sample.VENUE, limiter, lambda: None)
        await made.line.read(made.client.load_markets, dict)
        account = AccountSettings(currency=sample.CURRENCY, margin_mode=MarginMode.CROSS)
        made.ids, made.facts = made.venue.ids("main"), OrderFacts()
        instruments = {}
        made.reader = CcxtAccount(made.line, made.venue, made.ids, made.facts, account, instruments, lambda: NOW_NS)
        tiers = await made.reader.margin_tiers([sample.SYMBOL])
        listed = made.client.markets[sample.SYMBOL]
        instruments[sample.SYMBOL] = instrument_from(listed, tiers[sample.SYMBOL], made.venue)
        yield made
    finally:
        limiter.close()
        await close_client(made.client)
        await runner.cleanup()
