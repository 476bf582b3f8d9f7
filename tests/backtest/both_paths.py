"""Random backtests, run on the event path and on the compiled one."""

import asyncio
from collections import Counter
from decimal import Decimal
from random import Random

import numpy as np
import polars as pl
from dependency_injector import providers
from loguru import logger
from pydantic import Field

from app.backtest import BacktestFigures
from app.backtest.compiled import CompiledBacktest, CompiledMarket, HandedOn, Signals
from app.backtest.compiled.records import CLOSE, LEAVE, LIMIT, SIDE, STOP, TAKE_PROFIT
from app.container import Container
from app.domain.events import Liquidity
from app.domain.money import plain
from app.domain.order import OrderType
from app.domain.target import Entry
from app.settings import LoadedSettings, load_settings
from app.settings.simulated import TierSettings
from app.strategies import BarParams, Strategy
from tests.builders import BTC, START_NS

MINUTE_NS = 60_000_000_000
OPEN_LIMITS = (
    "price_collar_ratio_max", "order_contracts_max", "order_notional_max", "position_notional_max",
    "gross_exposure_ratio_max", "net_exposure_ratio_max", "leverage_max", "liquidation_distance_ratio_min",
    "slippage_ratio_max", "daily_loss_ratio_max", "drawdown_ratio_max", "consecutive_losses_max",
    "liquidation_buffer_ratio_min", "volatility_ratio_max", "margin_ratio_max", "funding_cost_ratio_max",
)  # fmt: skip

TIERS = (
    (TierSettings(),),
    (TierSettings(maintenance_rate=Decimal("0.004")),),
    (
        TierSettings(notional_max=Decimal(50_000), maintenance_rate=Decimal("0.005")),
        TierSettings(maintenance_rate=Decimal("0.01"), maintenance_deduction=Decimal(250)),
    ),
)


class ScriptedParams(BarParams):
    """Which script, and how often and how far."""

    seed: int
    asks: float = 0.05
    limits: float = 0.5
    stops: float = 0.7
    profits: float = 0.5
    reach: int = 60
    valid_s: int = Field(0, ge=0)


class Scripted(Strategy):
    """Asks for sides, limits and brackets at random, whatever the market does."""

    Params = ScriptedParams
    reenters = True

    def setup(self):
        self.seen = 0
        self.rows = script(self.params, 1)

    def on_bar(self, bar, view):
        if self.seen == len(self.rows):
            self.rows = script(self.params, 2 * len(self.rows))
        side, limit, stop, profit = self.rows[self.seen]
        self.seen += 1
        if not side:
            return None
        if side == 2:
            stop = profit = 0  # nothing is left to protect
        tick = view.instrument(self.symbol).tick_size
        entry = Entry()
        if limit:
            entry = Entry(type=OrderType.LIMIT, price=bar.close + limit * tick, valid_s=self.params.valid_s or None)
        return self.target(
            view, 0 if side == 2 else side, bar.time_ns, bar.close, entry=entry,
            stop=bar.close + stop * tick if stop else None, take_profit=bar.close + profit * tick if profit else None,
        )  # fmt: skip

    def compiled_signals(self, market: CompiledMarket) -> Signals:
        rows = np.zeros((len(market.bars), 5), np.int64)
        wanted = script(self.params, len(rows))
        closes = market.bars[:, CLOSE]
        for bar in range(len(rows)):
            side, limit, stop, profit = wanted[bar]
            if side == 2:
                rows[bar, LEAVE] = 7
            elif side:
                rows[bar, SIDE] = side
                for column, offset in ((LIMIT, limit), (STOP, stop), (TAKE_PROFIT, profit)):
                    # A price of nought is as little a price as a negative one; nought stands for none.
                    rows[bar, column] = (closes[bar] + offset or -1) if offset else 0
        return Signals(rows, valid_s=self.params.valid_s)


def script(params, size):
    """Return rows of side (2 is flat) and of offsets in ticks; a longer script begins as a shorter one."""
    random, rows = Random(params.seed), []
    for _ in range(size):
        draws = [random.random() for _ in range(8)]
        side = 0
        if draws[0] < params.asks:
            side = 2 if draws[1] < 0.15 else 1 if draws[1] < 0.575 else -1
        towards = 1 if side == 1 else -1
        limit = -towards * int((draws[3] - 0.2) * params.reach / 2) if draws[2] < params.limits else 0
        stop = -towards * (1 + int(draws[5] * params.reach)) if draws[4] < params.stops else 0
        profit = towards * (1 + int(draws[7] * params.reach)) if draws[6] < params.profits else 0
        rows.append((side, limit, stop, profit))
    return rows


def candles(random, folder, bars):
    """Write a random walk in ticks of 0.1, with jumps between bars."""
    price = random.choice((300, 3_000, 30_000))
    step = random.choice((2, 8, 20, 40)) if price > 300 else random.choice((1, 2))
    rows, lots = {name: [] for name in ("ts", "open", "high", "low", "close", "volume")}, random.choice((5, 50, 5000))
    for place in range(bars):
        opened = max(50, price + (random.randint(-step, step) if random.random() < 0.3 else 0))
        path = [opened]
        for _ in range(4):
            path.append(max(50, path[-1] + random.randint(-step, step)))
        price = path[-1]
        rows["ts"].append(START_NS + place * MINUTE_NS)
        for name, value in (("open", opened), ("high", max(path)), ("low", min(path)), ("close", price)):
            rows[name].append(value / 10)
        rows["volume"].append(round(random.random() * lots, 3))
    path = folder / "candles.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return path


def settlements(random, folder, bars):
    """Write a settlement every one to eight hours."""
    every = random.choice((7, 60, 240, 480))
    times = [START_NS + place * MINUTE_NS + random.randint(0, 9) * 1_000_000 for place in range(every, bars, every)]
    path = folder / "funding.parquet"
    pl.DataFrame({"ts": times, "funding_rate": [round(random.gauss(0, 0.0005), 8) for _ in times]}).write_parquet(path)
    return path


def loaded_for(seed, folder, bars):
    """Return the settings of a random backtest; most have no limits, since liquidations are far beyond them."""
    random = Random(seed)
    loaded = load_settings("backtest", words(random, folder, bars))
    open_limits = OPEN_LIMITS if random.random() < 0.7 else ("consecutive_losses_max", "daily_loss_ratio_max")
    resting = {
        "consecutive_losses_max": random.choice((None, 1, 2, 3, 8)),
        "consecutive_losses_cooldown_s": random.choice((0.5, 60.0, 90.0, 1200.0, 14_400.0)),
    }
    update = dict.fromkeys(open_limits) | {"duplicate_window_s": 0.0} | resting
    risk = loaded.settings.risk.model_copy(update=update)
    exchange = loaded.settings.exchange
    listed = exchange.simulated.instruments[0]
    listed = listed.model_copy(
        update={
            "maker_fee_rate": random.choice((Decimal("0.0002"), Decimal("-0.00005"))),
            "notional_min": Decimal(0),
            "liquidation_fee_rate": random.choice((Decimal(0), Decimal("0.002"))),
            "margin_tiers": random.choice(TIERS),
        }
    )
    simulated = exchange.simulated.model_copy(update={"instruments": (listed,)})
    changed = {"risk": risk, "exchange": exchange.model_copy(update={"simulated": simulated})}
    return LoadedSettings(loaded.settings.model_copy(update=changed), (), loaded.files)


def words(random, folder, bars):
    """Return the command-line words of a random backtest."""
    fraction = random.choice(("0.2", "0.9", "2.5", "14", "30"))
    said = {
        "exchange.simulated.candles": candles(random, folder, bars),
        "exchange.simulated.deposit": random.choice((2_000, 50_000, 1_000_000)),
        "exchange.simulated.spread_ticks": random.choice((0, 1, 2, 3)),
        "exchange.simulated.slippage_ratio": random.choice((0, 0, "0.0001", "0.00137")),
        "exchange.simulated.partial_fill_ratio": random.choice((1, 1, 1, "0.3", "0.05")),
        "exchange.simulated.fill_at": random.choice(("next_event", "next_event", "signal_close")),
        "account.leverage": random.choice((1, 3, 10)) if fraction < "1" else 50,
    }
    strategy = random.choice(("trend", "breakout", "mean_reversion", "funding_carry", *["scripted"] * 6))
    if strategy == "funding_carry" or random.random() < 0.4:
        said["exchange.simulated.funding"] = settlements(random, folder, bars)
    said |= of_strategy(random, strategy)
    sizing = random.choice(("fixed_quantity", "fixed_notional", "equity_fraction"))
    said["strategies.it.sizing.model"] = sizing
    said["strategies.it.sizing.quantity"] = random.choice(("0.1", "0.777", "3"))
    said["strategies.it.sizing.notional"] = random.choice((50, 1000, "3333.33"))
    said["strategies.it.sizing.fraction"] = fraction
    if random.random() < 0.3:
        said["exchange.simulated.time_from"] = "2026-01-01T02:00:00Z"
    return [f"{name}={value}" for name, value in said.items()]


def of_strategy(random, strategy):
    """Return the settings of a strategy with random parameters."""
    dotted = f"{__name__}.Scripted" if strategy == "scripted" else strategy
    said = {"strategies.it.strategy": dotted, "strategies.it.symbols": f'["{BTC}"]'}
    params = {
        "trend": {"fast": random.randint(1, 8), "slow": random.randint(9, 30)},
        "breakout": {"channel": random.randint(2, 20), "atr": random.randint(2, 15), "stop_ranges": 0.7},
        "mean_reversion": {"period": random.randint(2, 20), "width": 1.1, "rsi": random.randint(2, 9), "oversold": 45},
        "funding_carry": {"enter_rate": "0.0002", "leave_rate": "0.0001", "stop_ratio": "0.013"},
        "scripted": {
            "seed": random.randint(0, 10**6),
            "asks": random.choice((0.01, 0.05, 0.2, 0.6)), "limits": random.choice((0.3, 1)),
            "stops": random.choice((0, 0.8, 1)), "profits": random.choice((0, 0.5)), "reach": random.choice((20, 60)),
            "valid_s": random.choice((0, 0, 60, 300)),
        },
    }  # fmt: skip
    return said | {f"strategies.it.params.{name}": value for name, value in params[strategy].items()}


class Typed(BacktestFigures):
    """Figures that also remember the type of each order."""

    def __init__(self, *services):
        super().__init__(*services)
        self.types = {}

    def _on_intent(self, intent):
        super()._on_intent(intent)
        self.types[intent.order.client_order_id] = str(intent.order.type)


def run_events(settings):
    """Run the event path; return its figures and its document."""
    logger.remove()
    container = Container(loaded=settings)
    figures = Typed(lambda: container.registry.context.portfolio, lambda: container.registry.context.instruments)
    container.figures.override(providers.Object(figures))
    result = asyncio.run(container.bot().run())
    assert not result.errors
    return figures, container.summary().document(result)


def compare(seed, folder, bars=1500):
    """Run one random backtest on both paths; return what it had of each kind, or why it was handed on."""
    loaded = loaded_for(seed, folder, bars)
    trial = CompiledBacktest(loaded.settings).trace()
    if isinstance(trial, HandedOn):
        return Counter({trial.why: 1})
    figures, document = run_events(loaded)
    events = [
        (fill.time_ns, fill.signed_contracts, fill.price, fill.fee, fill.liquidation, fill.liquidity is Liquidity.MAKER)
        for fill in figures.all_fills
    ]
    tick, lot = trial.market.instrument.tick_size, trial.market.instrument.lot_size
    compiled = [
        (
            int(trial.market.bars[bar, 0]),
            int(lots) * lot,
            int(price) * tick,
            int(fee) * Decimal("1E-8"),
            kind == 2,
            kind == 1,
        )
        for bar, lots, price, fee, kind in trial.fills
    ]
    for place, (one, other) in enumerate(zip(events, compiled, strict=False)):
        assert one == other, (seed, place)
    assert len(events) == len(compiled), seed
    told = trial.figures
    for name in ("fees", "funding", "realized_pnl", "unrealized_pnl", "balance", "equity"):
        assert plain(getattr(told, name)) == document[name], (seed, name)
    for name in ("bars", "orders", "orders_denied", "fills", "liquidations"):
        assert getattr(told, name) == document[name], (seed, name)
    # A market too wild for entries that nobody asked for is the bot's alone to tell.
    held_back = [reason for reason in document["held_back"] if not reason.startswith("risk:volatility ")]
    assert held_back == list(told.held_back), seed
    equity = [float(int(value) * Decimal("1E-8")) for value in trial.samples[trial.market.first :, 0]]
    assert equity == list(figures.equity), seed
    makers = sum(fill.liquidity is Liquidity.MAKER for fill in figures.all_fills)
    return Counter(
        compiled=1, fills=told.fills, makers=makers, liquidations=told.liquidations, denied=told.orders_denied
    ) + Counter(kinds(figures))


def kinds(figures):
    """Return how many fills came of each type of order."""
    types = figures.types
    return Counter(types.get(fill.client_order_id, "liquidation") for fill in figures.all_fills)
