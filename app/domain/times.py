"""Times: integer nanoseconds since the epoch inside, aware UTC for people."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(time_ns: int) -> str:
    """Return a time as ISO 8601 in UTC, to the second, or to the millisecond where there is a fraction.

    >>> iso(1_700_000_000_000_000_000), iso(1_700_000_000_250_000_000)
    ('2023-11-14T22:13:20Z', '2023-11-14T22:13:20.250Z')
    """
    moment = EPOCH + timedelta(microseconds=time_ns // 1000)
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def parse_iso(text: str) -> int:
    """Return nanoseconds since the epoch of an ISO 8601 time; without an offset it is UTC.

    Raises:
        ValueError: It is no ISO 8601 time.

    >>> parse_iso("2023-11-14T22:13:20Z"), parse_iso("1970-01-02")
    (1700000000000000000, 86400000000000)
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    elapsed = moment - EPOCH
    return ((elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds) * 1000
