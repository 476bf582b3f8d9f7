"""Times the reference run on NautilusTrader 1.221, in a Python that has it: ``python nautilus.py FILE ROWS``.

The same work, as near as it can be said there: EMA 10/20, a market order to close and one to open at every crossing,
netting, on one-minute bars. It prints a JSON document.
"""

import json
import sys
import time
from decimal import Decimal

import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

MINUTE_NS = 60_000_000_000
ID = InstrumentId(Symbol("BTCUSDT-PERP"), Venue("SIM"))
BARS = BarType.from_str("BTCUSDT-PERP.SIM-1-MINUTE-LAST-EXTERNAL")


def instrument():
    return CryptoPerpetual(
        instrument_id=ID,
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=1,
        price_increment=Price.from_str("0.1"),
        size_precision=3,
        size_increment=Quantity.from_str("0.001"),
        max_quantity=Quantity.from_str("1000.000"),
        min_quantity=Quantity.from_str("0.001"),
        max_notional=None,
        min_notional=Money(5, USDT),
        max_price=Price.from_str("10000000.0"),
        min_price=Price.from_str("0.1"),
        margin_init=Decimal("0.1"),
        margin_maint=Decimal("0.005"),
        maker_fee=Decimal("0.0002"),
        taker_fee=Decimal("0.0005"),
        ts_event=0,
        ts_init=0,
    )


class Trend(Strategy):
    def __init__(self):
        super().__init__(StrategyConfig())
        self.fast, self.slow, self.side = ExponentialMovingAverage(10), ExponentialMovingAverage(20), 0

    def on_start(self):
        self.traded = self.cache.instrument(ID)
        for average in (self.fast, self.slow):
            self.register_indicator_for_bars(BARS, average)
        self.subscribe_bars(BARS)

    def on_bar(self, bar):
        if not self.indicators_initialized():
            return
        side = 1 if self.fast.value >= self.slow.value else -1
        if side != self.side:
            if self.side:
                self.send(-self.side, reduce_only=True)
            self.send(side, reduce_only=False)
            self.side = side

    def send(self, side, *, reduce_only):
        direction, size = OrderSide.BUY if side > 0 else OrderSide.SELL, self.traded.make_qty(0.1)
        self.submit_order(self.order_factory.market(ID, direction, size, reduce_only=reduce_only))


def main(path, rows):
    frame = pd.read_parquet(path).head(int(rows))
    frame.index = pd.to_datetime(frame["ts"], unit="ns", utc=True)
    listed = instrument()
    bars = BarDataWrangler(BARS, listed).process(
        frame[["open", "high", "low", "close", "volume"]], ts_init_delta=MINUTE_NS
    )
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(log_level="ERROR"),
            risk_engine=RiskEngineConfig(max_order_submit_rate="1000000/00:00:01"),
        )
    )
    engine.add_venue(
        Venue("SIM"),
        OmsType.NETTING,
        AccountType.MARGIN,
        [Money(1_000_000, USDT)],
        base_currency=USDT,
        default_leverage=Decimal(10),
    )
    engine.add_instrument(listed)
    engine.add_data(bars)
    engine.add_strategy(Trend())
    began = time.perf_counter()
    engine.run()
    elapsed_s = time.perf_counter() - began
    print(json.dumps({"bars_per_second": len(bars) / elapsed_s, "orders": engine.cache.orders_total_count()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
