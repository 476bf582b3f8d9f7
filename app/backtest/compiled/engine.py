"""A backtest that is compiled: the market is loaded once, and each trial is one call."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.backtest.compiled import kernel
from app.backtest.compiled.asked import Signals, signals_of
from app.backtest.compiled.eligibility import refusal_of, refusal_on_bars
from app.backtest.compiled.errors import HandedOn, NotCompilable
from app.backtest.compiled.liquidations import due_liquidation
from app.backtest.compiled.market import CompiledMarket, scale_market
from app.backtest.compiled.records import (
    CLOSE,
    DONE,
    ENTANGLED,
    HIGH,
    LIMIT_NEAR,
    LIQUIDATION_NEAR,
    NONE,
    OVERFLOW,
    TIME,
)
from app.backtest.compiled.scaling import money, new_state, scale_sizing, scale_terms
from app.backtest.compiled.trace import CompiledFigures, Trace
from app.domain.market import SECOND_NS
from app.domain.times import iso
from app.exchanges.matching import rules_from
from app.exchanges.simulated.recorded import open_recorded
from app.exchanges.simulated.translate import instrument_from
from app.settings.models import Settings
from app.strategies import Strategy, create

Integers = NDArray[np.int64]
WHY = {
    LIMIT_NEAR: "a limit or a guard might bind",
    ENTANGLED: "more happened within one bar than the kernel knows the order of",
    OVERFLOW: "an amount does not fit",
}
NOTHING = np.zeros((0, 5), np.int64)
ROOM = 4096
"""Fills that a trace has room for at first."""


class CompiledBacktest:
    """One market and one set of settings, for any number of trials.

    Args:
        settings: Of a backtest with one strategy on candles.

    Raises:
        NotCompilable: The kernel does not model what they ask for.
        BadDataFile: A file cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        simulated = settings.exchange.simulated
        self._settings = settings
        traded = simulated.data[0].symbol if simulated.data else simulated.instruments[0].symbol
        instrument = next(instrument_from(item) for item in simulated.instruments if item.symbol == traded)
        # Before the data is read: whatever else is refused needs no file.
        self._refuse(refusal_of(settings, instrument))
        recorded = open_recorded(simulated, simulated.data[0])
        self._refuse(refusal_on_bars(settings, recorded.interval_s))
        self.data_noticed = {traded: str(recorded.report)}
        """What was noticed in the data of its symbol, in words for people."""
        rules = rules_from(simulated)
        self._market = scale_market(recorded, instrument, settings.risk, rules.partial_fill_ratio)
        self._terms: Any = scale_terms(settings, instrument, rules, int(self._market.bars[:, HIGH].max()))
        self._terms.funding_scale = self._market.funding_scale
        self._strategy_id, self._strategy = next(iter(settings.strategies.items()))
        scale_sizing(self._terms, self._strategy.sizing, instrument)
        self._state = new_state(simulated.deposit, 0)
        self._room = ROOM

    def evaluate(self, params: Mapping[str, Any] | None = None) -> CompiledFigures | HandedOn:
        """Run one trial.

        Args:
            params: Parameters of the strategy that differ from the settings'.

        Returns:
            The figures; or why the event path must run this trial.

        Raises:
            StrategyRefused: The parameters are wrong.
            NotCompilable: The strategy cannot say its targets as arrays.
        """
        trial = self._run(params or {}, NOTHING, watch=False)
        return trial if isinstance(trial, HandedOn) else trial.figures

    def trace(self, params: Mapping[str, Any] | None = None) -> Trace | HandedOn:
        """Run one trial and keep its fills and the equity at each bar. Otherwise as ``evaluate``."""
        while True:
            trial = self._run(params or {}, np.zeros((self._room, 5), np.int64), watch=True)
            if isinstance(trial, HandedOn):
                return trial
            count = trial.figures.fills
            if count <= self._room:
                return msgspec.structs.replace(trial, fills=trial.fills[:count])
            # There is no telling before: it is run again, and the next trials find room.
            self._room = 2 * count

    def asked(self) -> Signals:
        """Return what the strategy wants, for all bars at once. Raises as ``evaluate``."""
        return signals_of(*self._strategy_on_market({}))

    def _strategy_on_market(self, params: Mapping[str, Any]) -> tuple[Strategy, CompiledMarket]:
        """Return the strategy, and the market from where it warms up."""
        wanted = self._strategy.model_copy(update={"params": {**self._strategy.params, **params}})
        (strategy,) = create(self._strategy_id, wanted)
        whole = self._market
        return strategy, whole.after(whole.first - min(whole.first, strategy.warmup_bars)) if whole.first else whole

    def _run(self, params: Mapping[str, Any], fills: Integers, *, watch: bool) -> Trace | HandedOn:
        strategy, market = self._strategy_on_market(params)
        asked = signals_of(strategy, market)
        terms, state = self._terms.copy(), self._state.copy()  # type: ignore[attr-defined] # records are numpy's
        terms.first = state.bar = market.first
        terms.reenters, terms.from_flat, terms.on_funding = strategy.reenters, asked.from_flat, asked.on_funding
        terms.valid_ns = asked.valid_s * SECOND_NS
        state.wanted, state.peak = NONE, NONE
        samples = np.zeros((len(market.bars) if watch else 0, 2), np.int64)
        receipts = np.zeros((len(market.settlements) if watch else 0, 3), np.int64)
        while True:
            kernel.run(state, terms, market.bars, asked.rows, market.settlements, fills, samples, receipts)
            if state.status != LIQUIDATION_NEAR:
                break
            self._liquidate(state, terms, market, fills)
        if state.status != DONE:
            return HandedOn(WHY[state.status], iso(int(market.bars[state.bar, TIME])))
        return Trace(self._figures(state, terms, market), market, fills, samples, receipts)

    def _liquidate(self, state: Any, terms: Any, market: CompiledMarket, fills: Integers) -> None:  # noqa: ANN401 - records
        """Have the matching engine's own rule say whether the bar liquidates the position."""
        state.status, state.resumes = DONE, 1
        due = due_liquidation(self._settings.account, market.instrument, state, market.bars[state.bar])
        if due is not None:
            kernel.liquidate(state, terms, *due, fills)

    @staticmethod
    def _figures(state: Any, terms: Any, market: CompiledMarket) -> CompiledFigures:  # noqa: ANN401 - records
        equity = money(kernel.equity_at(state, terms, int(market.bars[-1, CLOSE])))
        balance = money(int(state.balance))
        resting = f"risk:consecutive_losses ({state.rest_losses} losses in a row, limit {terms.losses_max})"
        return CompiledFigures(
            bars=len(market.bars) - market.first,
            orders=int(state.orders),
            orders_denied=int(state.denied),
            fills=int(state.fills),
            liquidations=int(state.liquidations),
            fees=money(int(state.fees)),
            funding=money(int(state.funding)),
            realized_pnl=money(int(state.realized)),
            unrealized_pnl=equity - balance,
            balance=balance,
            equity=equity,
            contracts=int(state.lots) * market.instrument.lot_size,
            held_back=(resting,) if state.rests_until else (),
        )

    @staticmethod
    def _refuse(why: str | None) -> None:
        if why is not None:
            raise NotCompilable(why)
