"""Where client order ids come from."""

from typing import Protocol


class Ids(Protocol):
    """Deterministic ids: instance of the journal, epoch (the number of the start) and a sequence."""

    def next_client_order_id(self) -> str:
        """Return an id that this account has never used."""

    def is_ours(self, client_order_id: str) -> bool:
        """Whether this journal's bot made an id, in this start or in an earlier one."""

    def is_of_another_journal(self, client_order_id: str) -> bool:
        """Whether a bot of this account made an id that keeps another journal.

        It runs in another folder, or ran in this one before it was emptied.
        """
