"""What is wrong with a data file: which file, which row, and why."""

from pathlib import Path

from app.domain.errors import InvalidMarketData


class BadDataFile(InvalidMarketData):
    """A candle, trade, mark or funding file that cannot be used."""

    def __init__(self, path: Path, why: str, row: int | None = None) -> None:
        self.path = path
        self.row = row
        where = "" if row is None else f", row {row + 1}"
        super().__init__(f"data file {path}{where}: {why}")
