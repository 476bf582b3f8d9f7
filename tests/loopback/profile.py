"""A profile that has a bot trade restlessly at a venue on loopback."""

import asyncio
import os
import sys

from tests.loopback.binance import KEY, SECRET
from tests.loopback.hyperliquid import PRIVATE_KEY, WALLET

PROFILE = """
kind = "{kind}"
[account]
currency = "{currency}"
leverage = "10"
[exchange]
adapter = "{adapter}"
[exchange.ccxt]
venue = "{venue}"
url = "{url}"
requests_per_s_max = 50
request_timeout_s = 2
stream_silence_s_max = 5
[strategies.fickle]
strategy = "tests.loopback.fickle.Fickle"
symbols = ["{symbol}"]
sizing = {{ model = "fixed_quantity", quantity = "0.01" }}
[execution]
stop_policy = "{stop_policy}"
request_valid_s = 1
unknown_query_every_s = 0.2
reconcile_every_s = 1
[storage]
folder = "{folder}"
[risk]
price_collar_ratio_max = "0.5"
open_orders_max = 1000
orders_per_minute_max = 100000
duplicate_window_s = 0
slippage_ratio_max = "0.5"
daily_loss_ratio_max = "0.9"
drawdown_ratio_max = "0.9"
consecutive_losses_max = 100000
liquidation_distance_ratio_min = "0.0001"
liquidation_buffer_ratio_min = "0.0001"
volatility_ratio_max = "100000"
"""


KEYS = {
    "binanceusdm": {"api_key": KEY, "secret": SECRET},
    "hyperliquid": {"wallet_address": WALLET, "private_key": PRIVATE_KEY},
}


def keys_of(venue):
    """Return the settings of ``exchange.ccxt`` that a venue on loopback wants."""
    return KEYS[venue.name]


def write_profile(path, venue, folder, *, adapter="ccxt", kind="testnet", stop_policy="keep"):
    """Write the profile; return it with the keys that the environment gives."""
    path.write_text(
        PROFILE.format(
            kind=kind,
            adapter=adapter,
            venue=venue.name,
            currency=venue.currency,
            url=venue.url,
            symbol=venue.symbol,
            folder=folder.as_posix(),
            stop_policy=stop_policy,
        )
    )
    return {f"APP__EXCHANGE__CCXT__{name.upper()}": value for name, value in keys_of(venue).items()}


async def command(environment, *words):
    """Run ``python -m app`` with words, while the venue goes on; return its exit code and what it said."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *words),
        env=clean | environment | {"PYTHONPATH": "."},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()
