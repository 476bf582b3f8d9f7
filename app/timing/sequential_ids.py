"""Client order ids that a second run over the same stream makes again, and that no other start makes."""

from hashlib import sha256

ID_LENGTH_MAX = 36
"""The shortest limit among the venues (binance, bybit: 36 of letters, digits and hyphen)."""
PREFIX_LENGTH_MAX = 18
EPOCH_MAX = 999_999
SEQUENCE_DIGITS = 6
"""Digits that a sequence is padded to; it may outgrow them: 36 characters hold ten billion ids a start."""
DISCRIMINATOR_LENGTH = 6
_PADDED = f"0{SEQUENCE_DIGITS}d"


class SequentialIds:
    """Ids of the form account, epoch, sequence.

    The epoch is the number of the start and was made durable before the first id: all ids of a start are thereby
    reserved, and an order that must leave while the store is down still gets one that was never used.

    >>> ids = SequentialIds("main", 3)
    >>> ids.next_client_order_id(), ids.next_client_order_id()
    ('main-3-000001', 'main-3-000002')
    """

    __slots__ = ("_instance", "_prefix", "_sequence")

    def __init__(self, account_id: str, epoch: int) -> None:
        if not 0 <= epoch <= EPOCH_MAX:
            raise ValueError(f"epoch {epoch} is not between 0 and {EPOCH_MAX}: start with a new state folder")
        self._instance = f"{_prefix_of(account_id)}-"
        self._prefix = f"{self._instance}{epoch}-"
        self._sequence = 0

    def next_client_order_id(self) -> str:
        """Return an id that this account has never used."""
        self._sequence += 1
        return self._prefix + format(self._sequence, _PADDED)

    def is_ours(self, client_order_id: str) -> bool:
        """Whether this account's bot made an id, in this start or in an earlier one."""
        epoch, _, sequence = client_order_id.removeprefix(self._instance).partition("-")
        return client_order_id.startswith(self._instance) and epoch.isdigit() and sequence.isdigit()


def _prefix_of(account_id: str) -> str:
    """Return the account's part: the account id itself if a venue takes it, else what fits plus a discriminator."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in account_id)
    if plain == account_id and len(plain) <= PREFIX_LENGTH_MAX:
        return plain
    discriminator = sha256(account_id.encode()).hexdigest()[:DISCRIMINATOR_LENGTH]
    return f"{plain[: PREFIX_LENGTH_MAX - DISCRIMINATOR_LENGTH - 1]}-{discriminator}"
