"""Our client order ids in the form that each venue takes, and back. Pure.

Ours read ``account-epoch-sequence``. Where a venue wants hexadecimal digits they are packed into 16 bytes: eight that
tell the account, four of the epoch, four of the sequence. They come back only for the account that they were made for.
"""

import re
import struct
from hashlib import sha256
from typing import Protocol

_PACKED = struct.Struct(">8sII")
_SEQUENCE_DIGITS = 6
_FOREIGN = re.compile("(0x)?[0-9a-fA-F]{32}")


class ClientIds(Protocol):
    """Turns client order ids into a venue's, and back."""

    def to_venue(self, client_order_id: str) -> str:
        """Return what the venue is sent."""

    def from_venue(self, venue_id: str) -> str:
        """Return our id; what is none of ours comes back as it is."""


class PlainIds:
    """For venues that take letters, digits and hyphens, 36 of them."""

    def to_venue(self, client_order_id: str) -> str:
        """Return it as it is."""
        return client_order_id

    def from_venue(self, venue_id: str) -> str:
        """Return it as it is."""
        return venue_id


class HexIds:
    """For venues that take 32 hexadecimal digits, with or without 0x before them.

    >>> ids = HexIds("main", prefix="0x")
    >>> ids.from_venue(ids.to_venue("main-3-000012"))
    'main-3-000012'
    """

    def __init__(self, account_id: str, prefix: str) -> None:
        self._prefix = prefix
        self._account_id = account_id
        self._instances: dict[bytes, str] = {}

    def to_venue(self, client_order_id: str) -> str:
        """Return 32 digits; what is none of ours is sent as it came.

        Raises:
            ValueError: It does not read account, epoch, sequence.
        """
        if _FOREIGN.fullmatch(client_order_id):
            return client_order_id
        instance, epoch, sequence = client_order_id.rsplit("-", 2)
        digest = _digest(instance)
        self._instances[digest] = instance
        return self._prefix + _PACKED.pack(digest, int(epoch), int(sequence)).hex()

    def from_venue(self, venue_id: str) -> str:
        """Return our id; what is none of ours comes back as it is."""
        try:
            digest, epoch, sequence = _PACKED.unpack(bytes.fromhex(venue_id.removeprefix("0x")))
        except (ValueError, struct.error):
            return venue_id
        instance = self._instances.get(digest)
        if instance is None and digest == _digest(self._account_id):
            instance = self._account_id
        return venue_id if instance is None else f"{instance}-{epoch}-{sequence:0{_SEQUENCE_DIGITS}d}"


def _digest(instance: str) -> bytes:
    return sha256(instance.encode()).digest()[:8]
