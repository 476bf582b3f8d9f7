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


class OtherMarket(Exception):
    """The account has a past in another market: generated, or of other files."""

    def __init__(self) -> None:
        super().__init__(
            "the state folder goes on in another market than the one that is set: give this one a folder of its own "
            "with --set storage.folder=FOLDER, or keep nothing with --set storage.backend=memory"
        )
