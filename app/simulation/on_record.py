"""What the records add up to, worked out anew: neither the journal's own sum nor the books are asked."""

from collections.abc import Iterable
from decimal import Decimal

from app.domain.events import Fill
from app.domain.ledger import Account, LedgerEntry
from app.domain.money import ZERO
from app.domain.records import OrderIntended, Record
from app.domain.target import Target


class OnRecord:
    """The durable records of the lives before, and those that the present life has handed to its journal."""

    def __init__(self) -> None:
        self.begin(())

    def begin(self, durable: Iterable[Record]) -> None:
        """Start over from what has outlived a process."""
        self.contracts: dict[str, Decimal] = {}
        self.totals: dict[Account, Decimal] = dict.fromkeys(Account, ZERO)
        self.targets: dict[str, Target] = {}
        """The latest of each symbol."""
        self.intended: set[str] = set()
        self._seen: set[str] = set()
        self.add(durable)

    def add(self, records: Iterable[Record]) -> None:
        """Take records in. A trade and a ledger entry count once, however often they are written."""
        for record in records:
            if isinstance(record, Fill):
                if self._is_new(f"fill {record.trade_id}"):
                    held = self.contracts.get(record.symbol, ZERO)
                    self.contracts[record.symbol] = held + record.signed_contracts
            elif isinstance(record, LedgerEntry):
                if self._is_new(f"entry {record.reference}"):
                    for posting in record.postings:
                        self.totals[posting.account] += posting.amount
            elif isinstance(record, OrderIntended):
                self.intended.add(record.order.client_order_id)
            elif isinstance(record, Target):
                self.targets[record.symbol] = record

    def _is_new(self, key: str) -> bool:
        known = key in self._seen
        self._seen.add(key)
        return not known
