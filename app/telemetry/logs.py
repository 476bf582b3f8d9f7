"""Logging: one fact a line on stderr, fields bound, secrets redacted, no values of variables in tracebacks."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record, Writable

SECRET_NAMES = re.compile(r"(?i)(secret|password|passphrase|token|api_?key|private_?key)")
SECRET_IN_TEXT = re.compile(r"(?i)\b(secret|password|passphrase|token|api_?key|private_?key)(\s*[=:]\s*)(\S+)")
REDACTED = "***"
FILE_BYTES_MAX = 10_000_000
FILES_KEPT = 3


def configure_logs(level: str, *, as_json: bool, sink: "Writable | None" = None, file: Path | None = None) -> None:
    """Send log lines to ``sink`` (stderr unless given), as text or as one JSON object a line.

    Args:
        level: Lines below it are not written.
        as_json: For machines.
        sink: Where to.
        file: A second copy, kept within bounds. It has lines of level DEBUG, too: where a strategy's error came from.
    """
    logger.remove()
    logger.configure(patcher=_redact)
    # Local variables may hold keys; and a queue would cost more on the trading path than writing does.
    form: dict[str, Any] = {"level": level, "format": _text_line, "serialize": as_json}
    form |= {"diagnose": False, "backtrace": False, "enqueue": False}
    logger.add(sink or sys.stderr, **form)
    if file is not None:
        logger.add(file, rotation=FILE_BYTES_MAX, retention=FILES_KEPT, **form | {"level": "DEBUG"})


def _redact(record: "Record") -> None:
    record["message"] = SECRET_IN_TEXT.sub(rf"\1\2{REDACTED}", record["message"])
    for name in record["extra"]:
        if SECRET_NAMES.search(name):
            record["extra"][name] = REDACTED


def _text_line(record: "Record") -> str:
    fields = " ".join(f"{name}={{extra[{name}]}}" for name in record["extra"])
    return f"{{time:YYYY-MM-DDTHH:mm:ss.SSS!UTC}}Z {{level: <7}} {{message}} {fields}".rstrip() + "\n{exception}"
