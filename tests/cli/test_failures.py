"""Every error that has an exit code of its own exists, and what may be accepted is what may be unknown."""

import re
from pathlib import Path

import app
from app.cli.failures import BY_NAME
from app.ports.examination import ACCEPTABLE

SOURCES = [path.read_text(encoding="utf-8") for path in Path(app.__file__).parent.rglob("*.py")]


def test_every_name_with_an_exit_code_is_a_class():
    """They are told apart by name, so that `--help` imports none of them: a renamed one would become a bug."""
    defined = {name for text in SOURCES for name in re.findall(r"^class (\w+)", text, re.MULTILINE)}
    assert set(BY_NAME) - defined == {"KeyboardInterrupt"}  # Python's own


def test_what_may_be_accepted_is_what_may_be_unknown():
    unknown = {name for text in SOURCES for name in re.findall(r'Finding\(\s*"(\w+)", Verdict\.UNKNOWN', text)}
    assert unknown == set(ACCEPTABLE)
