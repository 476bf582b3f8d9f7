"""How properties are tried: the same examples every time, and few enough that nobody waits."""

from hypothesis import settings

BRIEF = settings(derandomize=True, deadline=None, max_examples=100, database=None)
LONG = settings(derandomize=True, deadline=None, max_examples=40, database=None)
