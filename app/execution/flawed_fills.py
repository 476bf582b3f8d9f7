"""Remembers fills that could not be booked as they were told, until exchange and books agree again."""

from collections.abc import Callable, Mapping

import msgspec

from app.domain.records import MemoryLost, StateSaved
from app.ports.clock import Clock

OWNER = "flawed_fills"
KEPT_MAX = 200
"""Fills that are remembered: a venue that tells more of them needs its operator."""


class _Flawed(msgspec.Struct):
    symbol: str
    is_explained: bool = False
    """Whether exchange and books have agreed since: what it did is in the books, adopted or as nothing."""


class _Memory(msgspec.Struct):
    """What outlives a restart."""

    left_out: dict[str, str | None] = {}
    """Symbols of which a fill could not be booked since the last agreement, with its client order id."""
    fills: dict[str, _Flawed] = {}
    """Those fills, and the latest before them, by trade id."""


class FlawedFills:
    """What is held of their symbols the exchange alone can say."""

    def __init__(self, clock: Clock, record: Callable[..., None]) -> None:
        self._clock = clock
        self._record = record
        self._memory = _Memory()
        self._noted: set[str] = set()
        """Symbols of which a fill was left out since the comparison that is under way began."""

    def restore(self, payload: bytes) -> MemoryLost | None:
        """Take over what an earlier run saved; return what is to be told when it cannot be read."""
        try:
            self._memory = msgspec.json.decode(payload, type=_Memory)
        except msgspec.MsgspecError as error:
            return MemoryLost(self._clock.now_ns, "which fills could not be booked", str(error))
        return None

    @property
    def left_out(self) -> Mapping[str, str | None]:
        """Symbols of which a fill could not be booked since the last agreement, with its client order id."""
        return self._memory.left_out

    def leave_out(self, symbol: str, client_order_id: str | None, trade_id: str | None) -> None:
        """Remember one that could not be booked."""
        memory = self._memory
        self._noted.add(symbol)
        memory.left_out[symbol] = client_order_id
        if trade_id is not None and not self.is_explained(trade_id):
            memory.fills[trade_id] = _Flawed(symbol)
            if len(memory.fills) > KEPT_MAX:
                del memory.fills[next(iter(memory.fills))]
        self._save()

    def book(self, trade_id: str) -> None:
        """Forget one that was told right meanwhile, and is in the books under its own name."""
        if self._memory.fills and self._memory.fills.pop(trade_id, None) is not None:
            self._save()

    def is_explained(self, trade_id: str) -> bool:
        """Whether one could once not be booked, and what it did is in the books all the same."""
        flawed = self._memory.fills.get(trade_id)
        return flawed is not None and flawed.is_explained

    def begin_comparison(self) -> None:
        """Take note from here on of what a comparison that begins now may not have seen."""
        self._noted.clear()

    def agree(self) -> None:
        """Forget what agreement has explained: a stranger's position in that symbol is one again."""
        memory = self._memory
        if not memory.left_out:
            return
        memory.left_out = {symbol: cid for symbol, cid in memory.left_out.items() if symbol in self._noted}
        for flawed in memory.fills.values():
            flawed.is_explained = flawed.is_explained or flawed.symbol not in memory.left_out
        self._save()

    def _save(self) -> None:
        self._record(StateSaved(OWNER, msgspec.json.encode(self._memory), self._clock.now_ns))
