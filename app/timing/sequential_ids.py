"""Client order ids that a second run over the same stream makes again, and that no other start makes."""

from app.domain.client_order_id import (
    EPOCH_MAX,
    INSTANCE_DIGITS,
    SEQUENCE_DIGITS,
    account_part,
    parse_client_order_id,
    prefix_of,
)

_PADDED = f"0{SEQUENCE_DIGITS}d"


class SequentialIds:
    """Ids of the form account, instance, epoch, sequence.

    The instance is the journal's: no other folder makes the same ids for the account, nor this one once it was emptied.
    The epoch is the number of the start and was made durable before the first id: all ids of a start are thereby
    reserved, and an order that must leave while the store is down still gets one that was never used.

    >>> ids = SequentialIds("main", 3, "4fa9c2")
    >>> ids.next_client_order_id(), ids.next_client_order_id()
    ('main-4fa9c2x3-000001', 'main-4fa9c2x3-000002')
    """

    __slots__ = ("_accounts", "_instance", "_instance_since", "_prefix", "_sequence")

    def __init__(self, account_id: str, epoch: int, instance: str = "", instance_since: int = 1) -> None:
        """Make ids of one start.

        Args:
            account_id: As the settings have it.
            epoch: The number of the start.
            instance: Of the journal, six hexadecimal digits; empty where nobody else can have made ids.
            instance_since: The first start whose ids named the instance: those before it did not.

        Raises:
            ValueError: The account was started too often.
        """
        if not 0 <= epoch <= EPOCH_MAX:
            raise ValueError(f"epoch {epoch} is not between 0 and {EPOCH_MAX}: start with a new state folder")
        self._accounts = {account_part(account_id, ""), account_part(account_id, "0" * INSTANCE_DIGITS)}
        self._instance = instance
        self._instance_since = instance_since
        self._prefix = prefix_of(account_part(account_id, instance), instance, epoch)
        self._sequence = 0

    def next_client_order_id(self) -> str:
        """Return an id that this account has never used."""
        self._sequence += 1
        return self._prefix + format(self._sequence, _PADDED)

    def is_ours(self, client_order_id: str) -> bool:
        """Whether this journal's bot made an id, in this start or in an earlier one."""
        parsed = parse_client_order_id(client_order_id)
        if parsed is None or parsed.account not in self._accounts:
            return False
        if parsed.instance:
            return parsed.instance == self._instance
        return not self._instance or parsed.epoch < self._instance_since

    def is_of_another_journal(self, client_order_id: str) -> bool:
        """Whether a bot of this account made an id that keeps another journal."""
        parsed = parse_client_order_id(client_order_id)
        return parsed is not None and parsed.account in self._accounts and not self.is_ours(client_order_id)
