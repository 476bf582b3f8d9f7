"""Where client order ids come from."""

from typing import Protocol


class Ids(Protocol):
    """Deterministic ids: instance, epoch (the number of the start) and a sequence."""

    def next_client_order_id(self) -> str:
        """Return an id that this account has never used."""

    def is_ours(self, client_order_id: str) -> bool:
        """Whether this account's bot made an id, in this start or in an earlier one."""
