"""A fingerprint of what a run ordered and what was filled, by which two runs are compared."""

from hashlib import sha256

import msgspec

from app.domain.events import Fill
from app.domain.records import OrderIntended

DIGESTED = frozenset({OrderIntended, Fill})
"""The kinds of record that make a run what it is; all else follows from them or is chatter."""


class RunDigest:
    """A running SHA-256 over the encoded orders and fills, in order. Keeps no records, so it is flat in memory."""

    __slots__ = ("_encode", "_sha")

    def __init__(self) -> None:
        self._sha = sha256()
        self._encode = msgspec.json.Encoder().encode

    def add(self, record: OrderIntended | Fill) -> None:
        """Take in a record."""
        self._sha.update(self._encode(record) + b"\n")

    def add_encoded(self, payload: bytes) -> None:
        """Take in a record that is encoded already."""
        self._sha.update(payload + b"\n")

    def hexdigest(self) -> str:
        """Return the fingerprint of everything so far."""
        return self._sha.hexdigest()
