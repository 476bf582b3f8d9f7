"""Why a search, or an analysis, cannot be done.

ResearchRefused     the words or the files do not fit: say it, and start nothing
TrialFailed         the bot did not run through: the data, or a part of the bot
Interrupted         somebody wanted it to end: what was seen by then allows no verdict
DataFileUnwritable  the disk does not take what is to be kept
"""

from pathlib import Path


class ResearchRefused(Exception):
    """What was asked for cannot be searched or analysed."""


class TrialFailed(Exception):
    """A trial did not come to its end; another set of parameters would not either."""


class Interrupted(Exception):
    """An analysis was ended by a signal."""


class DataFileUnwritable(Exception):
    """A file of market data cannot be written; one that was there is as it was."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"data file {path}: cannot be written ({why}); what was there before is unchanged")
