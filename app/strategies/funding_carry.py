"""Funding carry: hold the side that is paid funding, while the rate is worth it."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from app.domain.market import FundingRate
from app.domain.target import Target
from app.ports.strategy_view import StrategyView
from app.strategies.search import Search
from app.strategies.strategy import Feed, Strategy, StrategyParams, Subscription


class FundingCarryParams(StrategyParams):
    """Rates for one funding interval, the stop as a part of the price."""

    enter_rate: Annotated[Decimal, Search(0.00002, 0.001, log=True)] = Field(Decimal("0.0001"), gt=0)
    leave_rate: Annotated[Decimal, Search(0, 0.00002, step=0.000001)] = Field(Decimal("0.00002"), ge=0)
    stop_ratio: Annotated[Decimal, Search(0.01, 0.2, step=0.01)] = Field(Decimal("0.05"), gt=0, lt=1)


class FundingCarry(Strategy):
    """Short while longs pay, long while shorts pay. It bears the price risk: the stop bounds it."""

    Params = FundingCarryParams
    reenters = True
    params: FundingCarryParams

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Funding rates only."""
        return (Subscription(Feed.FUNDING),)

    def on_funding(self, funding: FundingRate, view: StrategyView) -> Target | None:
        """Take the paid side above the entry rate, leave it below the exit rate."""
        mark = view.mark(self.symbol)
        if mark is None:
            return None
        side = -1 if funding.rate > 0 else 1
        if abs(funding.rate) >= self.params.enter_rate:
            stop = mark * (1 - side * self.params.stop_ratio)
            return self.target(view, side, funding.time_ns, mark, stop=stop, reason=f"funding rate {funding.rate}")
        # What the held side is paid; negative when the rate has turned against it.
        if self.wanted and -self.wanted * funding.rate <= self.params.leave_rate:
            return self.target(view, 0, funding.time_ns, mark, reason="funding is not worth it any more")
        return None
