"""Why risk refused an order."""

import msgspec


class Denial(msgspec.Struct, frozen=True):
    """The rule that an order breaks, with the value and the limit, as text with units."""

    rule: str
    value: str
    limit: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.value}, limit {self.limit}"
