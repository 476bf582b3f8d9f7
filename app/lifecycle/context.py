"""The context: one immutable, versioned snapshot of what the coordinators share."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from app.domain.instrument import Instrument
from app.lifecycle.errors import FieldRefused, NotProvided, NotStarted
from app.ports.account import AccountPort
from app.ports.clock import Clock
from app.ports.connection import Capabilities
from app.ports.facts import Facts
from app.ports.ids import Ids
from app.ports.journal import Journal
from app.ports.market_data import MarketData
from app.ports.metrics import Metrics
from app.ports.portfolio import PortfolioView
from app.ports.risk import RiskView
from app.ports.stages import AccountStage, DecisionStage, ObservationStage
from app.ports.trading_state import TradingStatePort
from app.settings.models import Settings

MUTABLE = (list, set, dict, bytearray)

T = TypeVar("T")


class _Later:
    """The value of a field that a coordinator will write: reading it before is an error, never None."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return "later"


LATER: Any = _Later()
OWN_FIELDS = frozenset({"version", "owners"})


@dataclass(frozen=True, eq=False)
class CoordinatorContext:
    """Shared dependencies: immutable values and ports. A change is a new snapshot with a higher version.

    Each field has one owner, who writes it once per start.
    """

    settings: Settings
    clock: Clock
    ids: Ids
    journal: Journal
    facts: Facts = LATER
    metrics: Metrics = LATER
    telemetry: ObservationStage = LATER
    capabilities: Capabilities = LATER
    market_data: MarketData = LATER
    account: AccountPort = LATER
    instruments: Mapping[str, Instrument] = LATER
    trading_state: TradingStatePort = LATER
    portfolio: PortfolioView = LATER
    risk: RiskView = LATER
    execution: AccountStage = LATER
    strategy: DecisionStage = LATER
    version: int = 0
    owners: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Who wrote which field."""

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - the type is the field's
        value = super().__getattribute__(name)
        if value is LATER:
            raise NotProvided(name)
        return value

    def evolve(self, owner: str, **fields: object) -> "CoordinatorContext":
        """Return the next snapshot, with fields that ``owner`` writes for the first time.

        Raises:
            FieldRefused: A field does not exist, has been written, or its value is mutable.
        """
        for name in fields:
            if name in self.owners:
                raise FieldRefused(owner, name, f"{self.owners[name]} has written it")
        return self._next(owner, fields)

    def revise(self, owner: str, **fields: object) -> "CoordinatorContext":
        """Return the next snapshot, with new values of fields that ``owner`` has written before.

        Raises:
            FieldRefused: A field belongs to another, or its value is mutable.
        """
        for name in fields:
            if self.owners.get(name) != owner:
                raise FieldRefused(owner, name, f"it belongs to {self.owners.get(name, 'nobody')}")
        return self._next(owner, fields)

    def _next(self, owner: str, fields: Mapping[str, object]) -> "CoordinatorContext":
        known = {item.name for item in dataclasses.fields(self)} - OWN_FIELDS
        values: dict[str, Any] = {
            item.name: object.__getattribute__(self, item.name) for item in dataclasses.fields(self)
        }
        for name, value in fields.items():
            if name not in known:
                raise FieldRefused(owner, name, "the context has no such field")
            if values[name] is not LATER and name not in self.owners:
                raise FieldRefused(owner, name, "it is given at the start")
            values[name] = _frozen(owner, name, value)
        values["version"] = self.version + 1
        values["owners"] = MappingProxyType(dict(self.owners) | dict.fromkeys(fields, owner))
        return CoordinatorContext(**values)


def _frozen(owner: str, name: str, value: object) -> object:
    if isinstance(value, dict):
        return MappingProxyType(dict(value))
    if isinstance(value, MUTABLE):
        raise FieldRefused(owner, name, f"a {type(value).__name__} could be changed by anybody: give a tuple")
    return value


class ContextCell:
    """The one place that holds the current snapshot: everybody reads it here, so nobody can hold a stale one."""

    def __init__(self) -> None:
        self._current: CoordinatorContext | None = None

    @property
    def current(self) -> CoordinatorContext:
        """The snapshot of this moment.

        Raises:
            NotStarted: There is none.
        """
        if self._current is None:
            raise NotStarted("the context")
        return self._current

    def publish(self, context: CoordinatorContext | None) -> None:
        """Replace the snapshot, for everybody at once."""
        self._current = context
