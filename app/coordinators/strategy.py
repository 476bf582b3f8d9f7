"""Turns the stream into targets by asking the strategies."""

import asyncio
from collections.abc import Sequence
from traceback import format_exception
from typing import Final

import msgspec

from app.domain.events import InstrumentChanged, Severity
from app.domain.market import SECOND_NS
from app.domain.price_sieve import is_sound
from app.domain.reasons import STRATEGY
from app.domain.records import MemoryLost, StateSaved, StrategySetAside
from app.domain.target import Target
from app.domain.trading_state import TradingLevel
from app.lifecycle import BaseCoordinator, CoordinatorContext, HealthState, HealthStatus, RestartPolicy, Supervisor
from app.ports.journal import JournalFailed
from app.strategies import Strategy
from app.strategies.blame import place_of
from app.strategies.router import NOTHING, BarSubscription, StrategyRouter, Way
from app.strategies.view import AccountView


class UnknownSymbol(Exception):
    """A strategy trades or watches a symbol that the exchange does not list."""

    def __init__(self, strategy_id: str, symbol: str, listed: Sequence[str]) -> None:
        super().__init__(
            f"strategies.{strategy_id} names {symbol}, which the exchange does not list: use {', '.join(listed)}"
        )


class _Memory(msgspec.Struct):
    """A strategy's memory, and up to when it had seen the market."""

    time_ns: int
    state: msgspec.Raw


def _payload_of(strategy: Strategy, now_ns: int) -> bytes:
    """Return a strategy's memory for the journal.

    Raises:
        ValueError: It is no JSON, and could not be read back.
    """
    payload = msgspec.json.encode(_Memory(now_ns, msgspec.Raw(strategy.snapshot())))
    try:
        msgspec.json.decode(payload, type=_Memory)
    except msgspec.DecodeError as error:
        raise ValueError(f"snapshot returned what is no JSON: {error}") from error
    return payload


class StrategyCoordinator(BaseCoordinator):
    """Owns the strategies, their warm-up, and their memory."""

    name = STRATEGY
    critical = True

    def __init__(self, strategies: Sequence[Strategy]) -> None:
        super().__init__()
        self._strategies = tuple(strategies)
        self.asks: Final[dict[type, Way]] = {}
        """What returns the targets that an event of a kind changed; nothing for kinds that no strategy wants to see."""

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """All of them, one for each symbol."""
        return self._strategies

    async def initialize(self, context: CoordinatorContext) -> CoordinatorContext:
        """Restore the strategies' memory, and warm them up with the history that they have not seen."""
        self._journal, self._clock = context.journal, context.clock
        self._publish = context.facts.publish
        self._trading_state = context.trading_state
        self._keep_state = context.settings.storage.keeps_state
        self._save_every_s = context.settings.storage.save_every_s
        self._view = AccountView(context.portfolio, context.instruments)
        for strategy in self._strategies:
            for symbol in (strategy.symbol, *(s.symbol or strategy.symbol for s in strategy.subscriptions())):
                if symbol not in context.instruments:
                    raise UnknownSymbol(strategy.strategy_id, symbol, tuple(context.instruments))
        self._set_aside: list[StrategySetAside] = []
        self._router = StrategyRouter(self._strategies, self._view, self._on_failure)
        self.asks.clear()
        self.asks.update(self._router.ways)
        self.asks[InstrumentChanged] = self._on_instrument
        for reason in context.trading_state.current.reasons:
            # Whoever failed in an earlier run is asked anew, or is not there any more.
            if reason.owner == self.name:
                self._trading_state.clear_reason(reason.owner, reason.code)
        seen = {strategy: self._restore(strategy) for strategy in self._strategies}
        for strategy in self._strategies:
            pursued = context.execution.pursued(strategy.symbol)
            if strategy.sequence > pursued:
                # The last run ended between its decision and the first step towards it: it is asked anew.
                strategy.forget()
            # One without its memory would count from one again, and its first targets be taken for old ones.
            strategy.count_from(pursued)
        for subscription in self._router.bar_subscriptions:
            await self._warm_up(subscription, seen, context)
        return context.evolve(self.name, strategy=self)

    async def start_background_tasks(self, context: CoordinatorContext, supervisor: Supervisor) -> None:
        """Save the strategies' memory from time to time."""
        del context
        if self._keep_state:
            supervisor.spawn(
                "strategy.save", self._save_loop, restart=RestartPolicy.permanent(), critical=False, owner=self.name
            )

    async def drain(self) -> None:
        """Save the strategies' memory, while the journal is still open, and ask them no more: one may be slow."""
        self._save(self._strategies)
        self.asks.clear()

    async def health_check(self) -> HealthStatus:
        """Degraded while a strategy is set aside, or cannot get the bars that it asked for."""
        problems = [fact.words for fact in self._set_aside]
        problems += [
            f"bars of {subscription.feed.interval_s} s cannot be built from bars of {coarse_s} s of "
            f"{subscription.feed.symbol}: set strategies.{strategy.strategy_id}.params.interval_s={coarse_s}"
            for subscription in self._router.bar_subscriptions
            if (coarse_s := subscription.feed.too_coarse_s) is not None
            for strategy in subscription.strategies
        ]
        warm = sum(strategy.is_warm for strategy in self._strategies if strategy not in self._router.failed)
        return self.status(
            HealthState.DEGRADED if problems else HealthState.HEALTHY,
            details={"strategies": str(len(self._strategies)), "warm": str(warm)},
            error="; ".join(problems) or None,
        )

    def settle(self, targets: Sequence[Target]) -> Sequence[Target]:
        """Put on record that the strategies want this, and return it; nothing of it while trading is halted."""
        if self._keep_state:
            wanting = {(target.strategy_id, target.symbol) for target in targets}
            self._save([s for s in self._strategies if (s.strategy_id, s.symbol) in wanting])
            aside = {(strategy.strategy_id, strategy.symbol) for strategy in self._router.failed}
            if aside:
                # One that closes goes on: its strategy is asked no more, and nobody else would close for it.
                targets = [t for t in targets if not t.contracts or (t.strategy_id, t.symbol) not in aside]
        trading = self._trading_state.current
        if trading.reasons and trading.level is TradingLevel.HALTED:
            # What they wanted meanwhile is void: they are asked anew when trading goes on.
            for strategy in self._strategies:
                strategy.forget()
            return NOTHING
        return targets

    def _on_instrument(self, change: InstrumentChanged) -> Sequence[Target]:
        self._view.list_anew(change.instrument)
        return NOTHING

    async def _warm_up(
        self, subscription: BarSubscription, seen: dict[Strategy, int | None], context: CoordinatorContext
    ) -> None:
        """Show each strategy the bars since it last looked; a new one as many as it needs."""
        feed, now_ns = subscription.feed, context.clock.now_ns
        needs = []
        for strategy in subscription.strategies:
            since, wanted = seen[strategy], self._bars_wanted(strategy)
            gap = 0 if since is None else (now_ns - since) // (feed.interval_s * SECOND_NS) + 1
            needs.append(wanted if since is None else min(gap, max(wanted, 1)))
        count = max(needs, default=0)
        if not count:
            return
        # As the pump sieves the stream of any exchange: what cannot be true reaches no strategy.
        bars = [bar for bar in await context.market_data.history(feed.symbol, feed.interval_s, count) if is_sound(bar)]
        for strategy, need in zip(subscription.strategies, needs, strict=True):
            since = seen[strategy] or 0
            fresh = [bar for bar in bars[len(bars) - need if need < len(bars) else 0 :] if bar.time_ns > since]
            with self._router.containing(strategy):
                strategy.on_history(fresh, self._view)

    def _bars_wanted(self, strategy: Strategy) -> int:
        """Return how much history a strategy wants; none of one that cannot say, which is set aside."""
        with self._router.containing(strategy):
            return strategy.checked_warm_up()
        return 0

    def _on_failure(self, strategy: Strategy, why: str, error: BaseException) -> None:
        fact = StrategySetAside(
            time_ns=self._clock.now_ns,
            strategy_id=strategy.strategy_id,
            symbol=strategy.symbol,
            error=why,
            traceback="".join(format_exception(error)),
        )
        self._set_aside.append(fact)
        self._publish(fact)
        code = f"failed:{strategy.strategy_id}:{strategy.symbol}"
        self._trading_state.raise_reason(self.name, code, Severity.REDUCE_ONLY, why)

    def _restore(self, strategy: Strategy) -> int | None:
        """Give a strategy its memory back; return up to when it had seen the market, None when it has no memory."""
        # A reason of an earlier run's failure ends with that run: the strategy is asked again.
        payload = self._journal.state_of(self._memory_key(strategy))
        if payload is None:
            return None
        try:
            memory = msgspec.json.decode(payload, type=_Memory)
            strategy.restore(bytes(memory.state))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - somebody else's code, as in ``StrategyRouter.containing``
            # The strategy was changed since, as a rule: it begins anew, warmed up from history.
            why = f"{type(error).__name__}: {error}{place_of(error)}"
            what = f"the memory of strategy {strategy.strategy_id} of {strategy.symbol}"
            self._publish(MemoryLost(self._clock.now_ns, what, why))
            with self._router.containing(strategy):
                strategy.begin_anew()
            return None
        return memory.time_ns

    def _save(self, strategies: Sequence[Strategy]) -> None:
        if not self._keep_state:
            return
        now_ns, records = self._clock.now_ns, []
        for strategy in strategies:
            if strategy in self._router.failed:
                # What it remembers may be half of a thought: what was saved before stays.
                continue
            with self._router.containing(strategy):
                payload = _payload_of(strategy, now_ns)
                records.append(StateSaved(self._memory_key(strategy), payload, now_ns))
        if not records:
            return
        try:
            self._journal.append(*records)
        except JournalFailed:
            # The execution coordinator restricts trading for it.
            return

    def _memory_key(self, strategy: Strategy) -> str:
        return f"strategy:{strategy.strategy_id}:{strategy.symbol}"

    async def _save_loop(self) -> None:
        while True:
            await asyncio.sleep(self._save_every_s)
            self._save(self._strategies)
            self.beat()
