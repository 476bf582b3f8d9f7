"""What a run has come to, in bytes that can be compared with those of another."""

from collections.abc import Sequence
from typing import Protocol, cast

import msgspec

from app.domain.events import ReasonRaised
from app.domain.ledger import Account
from app.domain.position import Position
from app.lifecycle import CoordinatorContext


class _Strategy(Protocol):
    strategy_id: str
    symbol: str

    def snapshot(self) -> bytes:
        """Return its memory."""


class _Strategies(Protocol):
    strategies: Sequence[_Strategy]


class _Remembers(Protocol):
    def snapshot(self) -> bytes:
        """Return its memory."""


class Final(msgspec.Struct, frozen=True):
    """Everything that decisions depend on, after the last event."""

    digest: str
    """Of orders and fills, in order."""
    positions: tuple[Position, ...]
    ledger: dict[Account, str]
    trading_state: tuple[ReasonRaised, ...]
    strategies: dict[str, str]
    """Their memories, by id and symbol."""
    risk: str
    """The guards' memory."""


def final_of(context: CoordinatorContext) -> Final:
    """Return what a run has come to.

    Raises:
        NotProvided: The bot never came up.
    """
    portfolio = context.portfolio
    strategies = cast("_Strategies", context.strategy).strategies
    return Final(
        digest=context.journal.digest(),
        positions=portfolio.positions,
        ledger={account: str(total) for account, total in sorted(portfolio.ledger.totals.items())},
        trading_state=context.trading_state.current.reasons,
        strategies={f"{item.strategy_id} {item.symbol}": item.snapshot().decode() for item in strategies},
        risk=cast("_Remembers", context.risk).snapshot().decode(),
    )


def first_difference(recorded: Final, replayed: Final) -> str | None:
    """Return the first field that differs, with both values in short; None when they are equal, byte for byte."""
    for name in Final.__struct_fields__:
        one, other = (msgspec.json.encode(getattr(final, name)).decode() for final in (recorded, replayed))
        if one != other:
            at = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
            begin = max(0, at - CONTEXT)
            return f"{name} differ: recorded …{one[begin : at + CONTEXT]}…, replayed …{other[begin : at + CONTEXT]}…"
    return None


CONTEXT = 60
"""Characters shown on each side of a difference."""
