"""The journal of runs that are over when they end: benchmark and replay."""

from app.domain.events import Fill
from app.domain.records import Record, StateSaved
from app.ports.journal import Recovered
from app.storage.run_digest import DIGESTED, RunDigest
from app.storage.tickets import DURABLE, DurableTicket


class MemoryJournal:
    """Keeps no records, only what the port asks back: the parts' last states and the run's digest.

    Memory does not grow with the run, and a ticket is durable at once: for this journal durable means "as long as the
    process".
    """

    __slots__ = ("_digest", "_recovered", "_states", "_take_in", "fills", "orders", "records")

    def __init__(self, instance: str = "") -> None:
        """Begin with nothing; ``instance`` is what client order ids call the journal."""
        self._recovered = Recovered(
            epoch=1,
            instance=instance,
            last_time_ns=None,
            working_orders=(),
            positions=(),
            ledger_totals={},
            trade_ids=(),
            funding_references=(),
            reasons=(),
        )
        self.records = 0
        """Records taken in."""
        self.orders = 0
        """Orders intended."""
        self.fills = 0
        """Fills taken in."""
        self._states: dict[str, bytes] = {}
        self._digest = RunDigest()
        self._take_in = self._digest.add

    def append(self, first: Record, /, *rest: Record) -> DurableTicket:
        """Take records in."""
        records = (first, *rest)
        self.records += len(records)
        for record in records:
            kind = type(record)
            if kind in DIGESTED:
                self._take_in(record)  # type: ignore[arg-type] # the line above says so
                if kind is Fill:
                    self.fills += 1
                else:
                    self.orders += 1
            elif kind is StateSaved:
                self._states[record.owner] = record.payload  # type: ignore[union-attr] # as above
        return DURABLE

    def ticket(self) -> DurableTicket:
        """Return the promise for all that was taken in before."""
        return DURABLE

    def recovered(self) -> Recovered:
        """Return that there was nothing, and that this is the first start."""
        return self._recovered

    def state_of(self, owner: str) -> bytes | None:
        """Return what ``owner`` saved last; None when it never did."""
        return self._states.get(owner)

    @property
    def failure(self) -> None:
        """Never: memory takes everything."""
        return None

    def digest(self) -> str:
        """Return the fingerprint of the orders and fills so far."""
        return self._digest.hexdigest()

    def flush(self) -> None:
        """Do nothing: everything is as durable as it gets."""

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
