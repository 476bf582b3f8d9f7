"""What all rules look at: the venue, the store, the records, and what the operator has done. No rule is judged here."""

from collections.abc import Callable

from app.domain.events import Severity
from app.domain.records import OrderRecord
from app.domain.target import Target
from app.domain.trading_state import TradingLevel, TradingState
from app.settings.models import Settings
from app.simulation.life import Life
from app.simulation.on_record import OnRecord
from app.simulation.store import SimulatedStore
from app.simulation.venue import STRANGER, Venue


class Seen:
    """Shared by the rules; the watch keeps it up to date."""

    def __init__(self, venue: Venue, store: SimulatedStore, now_s: Callable[[], float], settings: Settings) -> None:
        self.venue = venue
        self.store = store
        self.now_s = now_s
        self.settings = settings
        self.record = OnRecord()
        self.wanted: dict[str, Target] = {}
        """The latest target of each symbol: on record when the present life began, or handed to its store since,
        which may have refused it."""
        self.ready_s: float | None = None
        """Since when the present life is up; None while none is."""
        self.halted_s: float | None = None
        """Since when the operator wants trading halted."""
        self.resumed_s: float | None = None
        """When the operator lifted a halt of the present life."""
        self.flattened: dict[str, int] = {}
        """The target of each symbol, by its sequence, that the operator's latest flatten ended."""
        self.stopped: dict[str, int] = {}
        """The target of each symbol, by its sequence, that a stop, a take-profit or a liquidation ended."""

    def note_flatten(self) -> None:
        """Note that the operator closes all positions: what was wanted of them is over."""
        self.flattened = {symbol: target.sequence for symbol, target in self.wanted.items()}

    def resting_orders(self) -> list[OrderRecord]:
        """Return the bot's working orders, by the venue's word."""
        return [record for record in self.venue.open_orders() if record.order.account_id != STRANGER]


def working_orders(life: Life) -> tuple[OrderRecord, ...]:
    """Return the orders that the bot believes to work; none before it knows of any."""
    return life.bot.execution.stage.orders() if is_up(life) else ()


def is_up(life: Life) -> bool:
    """Whether the books are open: the start has come past them."""
    return "execution" in life.context.owners


def level_of(state: TradingState) -> TradingLevel:
    """Return what the reasons come to: worked out here, as the state's own word is what is judged."""
    severities = {reason.severity for reason in state.reasons}
    if Severity.HALTED in severities:
        return TradingLevel.HALTED
    return TradingLevel.REDUCE_ONLY if Severity.REDUCE_ONLY in severities else TradingLevel.ACTIVE
