"""Words of the field as enumerations."""

from enum import StrEnum


class Term(StrEnum):
    """A string enumeration that hashes as its string does.

    ``Enum.__hash__`` is a Python function, and these are the keys of tables that every order and fill is looked up in.
    Where every order or fill passes, a module names the members it compares with once (``_BUY = Side.BUY``): up to
    Python 3.11 looking a member up in its class takes as long as several of the comparisons it is looked up for.
    """

    __hash__ = str.__hash__
