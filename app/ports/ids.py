"""Where client order ids come from."""

from typing import Protocol


class Ids(Protocol):
    """Deterministic ids: instance, epoch (the number of the start) and a sequence."""

    def next_client_order_id(self) -> str:
        """Return an id that this account has never used."""
