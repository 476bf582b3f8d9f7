"""Where each planted bug was noticed: the first seed, counted from 1, and the rule. Written by ``search.py``."""

FOUND: dict[str, tuple[int, str]] = {}
