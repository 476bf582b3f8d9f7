"""Why a search, or an analysis, cannot be done.

ResearchRefused     the words or the files do not fit: say it, and start nothing
└── NeedsExtra      an optional dependency is missing
TrialFailed         the bot did not run through: the data, or a part of the bot
"""


class ResearchRefused(Exception):
    """What was asked for cannot be searched or analysed."""


class NeedsExtra(ResearchRefused):
    """An optional dependency is missing."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs {package}: pip install '.[{extra}]'")


class TrialFailed(Exception):
    """A trial did not come to its end; another set of parameters would not either."""
