"""Words of the field as enumerations."""

from enum import StrEnum


class Term(StrEnum):
    """A string enumeration that hashes as its string does.

    ``Enum.__hash__`` is a Python function, and these are the keys of tables that every order and fill is looked up in.
    """

    __hash__ = str.__hash__
