"""Why a search, or an analysis, cannot be done.

ResearchRefused     the words or the files do not fit: say it, and start nothing
TrialFailed         the bot did not run through: the data, or a part of the bot
"""


class ResearchRefused(Exception):
    """What was asked for cannot be searched or analysed."""


class TrialFailed(Exception):
    """A trial did not come to its end; another set of parameters would not either."""
