"""What a client order id says: whose order it is, which journal it is in, and the number it has in which start."""

import re
from hashlib import sha256

import msgspec

EPOCH_MAX = 999_999
SEQUENCE_DIGITS = 6
"""Digits that a sequence is padded to; it may outgrow them: the 36 characters that binance and bybit take hold ten
billion ids a start."""
INSTANCE_DIGITS = 6
"""Hexadecimal ones: two journals of an account make the same ids once in 16 million."""
ACCOUNT_LENGTH_MAX = 11
BARE_ACCOUNT_LENGTH_MAX = 18
"""As long as an id names no instance there is more room for the account."""
_DISCRIMINATOR_LENGTH = 6
_FORM = re.compile(
    r"(?P<account>[a-zA-Z0-9-]+)-(?:(?P<instance>[0-9a-f]{6})x)?(?P<epoch>\d+)-(?P<sequence>\d+)", re.ASCII
)


class ClientOrderId(msgspec.Struct, frozen=True):
    """Account, instance, epoch, sequence.

    >>> str(ClientOrderId("main", "4fa9c2", 3, 12))
    'main-4fa9c2x3-000012'
    >>> parse_client_order_id("main-4fa9c2x3-000012").instance
    '4fa9c2'
    """

    account: str
    """As ``account_part`` writes it."""
    instance: str
    """Of the journal that has the order: six hexadecimal digits. Empty where it needs none, and in older ids."""
    epoch: int
    """The number of the start that made it."""
    sequence: int
    """Within the start, from 1."""

    def __str__(self) -> str:
        return f"{prefix_of(self.account, self.instance, self.epoch)}{self.sequence:0{SEQUENCE_DIGITS}d}"


def parse_client_order_id(text: str) -> ClientOrderId | None:
    """Return what an id says; None when no bot of this kind made it."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    return ClientOrderId(found["account"], found["instance"] or "", int(found["epoch"]), int(found["sequence"]))


def prefix_of(account: str, instance: str, epoch: int) -> str:
    """Return what all ids of a start begin with.

    Args:
        account: As ``account_part`` writes it.
        instance: Six hexadecimal digits, or nothing.
        epoch: The number of the start.
    """
    return f"{account}-{instance}x{epoch}-" if instance else f"{account}-{epoch}-"


def account_part(account_id: str, instance: str) -> str:
    """Return how an account is written in ids: as it is if a venue takes it, else what fits and a discriminator.

    Args:
        account_id: As the settings have it.
        instance: What the ids name beside it, if anything.
    """
    length_max = ACCOUNT_LENGTH_MAX if instance else BARE_ACCOUNT_LENGTH_MAX
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in account_id)
    if plain == account_id and len(plain) <= length_max:
        return plain
    discriminator = sha256(account_id.encode()).hexdigest()[:_DISCRIMINATOR_LENGTH]
    return f"{plain[: length_max - _DISCRIMINATOR_LENGTH - 1]}-{discriminator}"
