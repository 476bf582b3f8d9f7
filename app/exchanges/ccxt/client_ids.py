"""Our client order ids in the form that each venue takes, and back. Pure.

Where a venue wants hexadecimal digits they are packed into 16 bytes: eight that tell the account and the journal's
instance, four of the epoch, four of the sequence. They come back only for the account that they were made for.
"""

import re
import struct
from hashlib import sha256
from typing import Protocol

from app.domain.client_order_id import INSTANCE_DIGITS, ClientOrderId, account_part, parse_client_order_id

_PACKED = struct.Struct(">8sII")
_ACCOUNT_BYTES = 5
"""Of the eight, where the other three are the instance."""
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
    >>> ids.from_venue(ids.to_venue("main-4fa9c2x3-000012"))
    'main-4fa9c2x3-000012'
    """

    def __init__(self, account_id: str, prefix: str) -> None:
        self._prefix = prefix
        self._bare = account_part(account_id, "")
        self._account = account_part(account_id, "0" * INSTANCE_DIGITS)

    def to_venue(self, client_order_id: str) -> str:
        """Return 32 digits; what is none of ours is sent as it came.

        Raises:
            ValueError: It does not read account, instance, epoch, sequence.
        """
        if _FOREIGN.fullmatch(client_order_id):
            return client_order_id
        parsed = parse_client_order_id(client_order_id)
        if parsed is None:
            raise ValueError(f"{client_order_id!r} is no client order id of this bot")
        maker = _maker(parsed.account, parsed.instance)
        return self._prefix + _PACKED.pack(maker, parsed.epoch, parsed.sequence).hex()

    def from_venue(self, venue_id: str) -> str:
        """Return our id; what is none of ours comes back as it is."""
        try:
            maker, epoch, sequence = _PACKED.unpack(bytes.fromhex(venue_id.removeprefix("0x")))
        except (ValueError, struct.error):
            return venue_id
        if maker == _maker(self._bare, ""):
            return str(ClientOrderId(self._bare, "", epoch, sequence))
        instance = maker[_ACCOUNT_BYTES:].hex()
        if maker == _maker(self._account, instance):
            return str(ClientOrderId(self._account, instance, epoch, sequence))
        return venue_id


def _maker(account: str, instance: str) -> bytes:
    """Return eight bytes; an account has others for ids that name an instance than for those that name none."""
    if not instance:
        return sha256(account.encode()).digest()[:8]
    return sha256(f"{account}-".encode()).digest()[:_ACCOUNT_BYTES] + bytes.fromhex(instance)
