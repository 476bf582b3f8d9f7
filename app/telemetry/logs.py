"""Logging: one fact a line on stderr, fields bound, secrets redacted, no values of variables in tracebacks."""

import re
import sys
from typing import TYPE_CHECKING, TextIO

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

SECRET_NAMES = re.compile(r"(?i)(secret|password|passphrase|token|api_?key|private_?key)")
SECRET_IN_TEXT = re.compile(r"(?i)\b(secret|password|passphrase|token|api_?key|private_?key)(\s*[=:]\s*)(\S+)")
REDACTED = "***"


def configure_logs(level: str, *, as_json: bool, sink: TextIO | None = None) -> None:
    """Send log lines to ``sink`` (stderr unless given), as text or as one JSON object a line."""
    logger.remove()
    logger.configure(patcher=_redact)
    logger.add(
        sink or sys.stderr,
        level=level,
        format=_text_line,
        serialize=as_json,
        # Local variables may hold keys; and a queue would cost more on the trading path than writing does.
        diagnose=False,
        backtrace=False,
        enqueue=False,
    )


def _redact(record: "Record") -> None:
    record["message"] = SECRET_IN_TEXT.sub(rf"\1\2{REDACTED}", record["message"])
    for name in record["extra"]:
        if SECRET_NAMES.search(name):
            record["extra"][name] = REDACTED


def _text_line(record: "Record") -> str:
    fields = " ".join(f"{name}={{extra[{name}]}}" for name in record["extra"])
    return f"{{time:YYYY-MM-DDTHH:mm:ss.SSS!UTC}}Z {{level: <7}} {{message}}{' ' + fields if fields else ''}\n{{exception}}"
