"""Prints what a bot does now, or what a stopped one left."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.cli.failures import UsageRefused
from app.domain.money import plain
from app.domain.reasons import LIFECYCLE, STOPPING
from app.domain.records import OrderRecord
from app.domain.times import iso
from app.domain.trading_state import TradingLevel, TradingState
from app.ports.exit_codes import ExitCode
from app.settings import load_settings
from app.state import journal_place, state_folder
from app.storage import Place, Summary, is_held, read_holder, read_summary
from app.telemetry.health_file import FILE_NAME

FILLS_MAX = 3
"""The latest; with --json there are more."""
PERIODS_MAX = 5
"""Periods of the health file without which a bot does not answer: on a busy machine some are late."""


def print_status(profile: str | None, overrides: list[str], *, as_json: bool) -> int:
    """Print the status; the journal tells it, and a running bot's health file."""
    loaded = load_settings(profile, overrides)
    settings = loaded.settings
    folder = state_folder(settings)
    if folder is None:
        raise UsageRefused(f"profile {settings.profile} keeps no state: there is nothing to show")
    held = is_held(folder)
    health = _health(folder, settings.telemetry.health_every_s) if held else None
    place = journal_place(settings, folder)
    document = _document(folder, place, read_summary(place, settings.account.id), health, held=held)
    print(json.dumps(document, indent=2) if as_json else "\n".join(_lines(document, loaded.command("resume"))))
    return ExitCode.CLEAN


def _health(folder: Path, every_s: float) -> dict[str, Any] | None:
    """Return the health file of the bot that holds the folder; None when it has not written it yet."""
    holder = read_holder(folder)
    try:
        document: dict[str, Any] = json.loads((folder / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return None
    age = datetime.now(UTC) - datetime.fromisoformat(document["written_at"])
    document["age_s"] = round(age.total_seconds(), 1)
    # A file of the future is as strange as an old one: the clock was set, and nothing follows from its time.
    document["answers"] = abs(document["age_s"]) <= PERIODS_MAX * every_s
    return document if holder is not None and document["pid"] == holder.pid else None


def _document(
    folder: Path, place: Place, summary: Summary, health: dict[str, Any] | None, *, held: bool
) -> dict[str, Any]:
    return {
        "running": held or summary.writer is not None,
        "running_here": held,
        "state_folder": str(folder),
        "journal": str(place),
        "lease_holder": None if summary.writer is None else str(summary.writer),
        "account": summary.account_id,
        "starts": summary.epoch,
        "last_record": _time(summary.last_time_ns),
        "stopped_in_order": _stopped_in_order(summary, held=held),
        "ledger": {
            currency: {account: plain(amount if account == "wallet" else -amount) for account, amount in totals.items()}
            for currency, totals in summary.ledger_totals.items()
        },
        "positions": {position.symbol: plain(position.contracts) for position in summary.positions},
        "working_orders": [_order(record) for record in summary.working_orders],
        "last_orders": [_order(record) for record in summary.recent_orders],
        "last_fills": [
            {
                "id": fill.client_order_id,
                "symbol": fill.symbol,
                "side": fill.side,
                "contracts": plain(fill.contracts),
                "price": plain(fill.price),
                "fee": plain(fill.fee),
                "at": _time(fill.time_ns),
            }
            for fill in summary.recent_fills
        ],
        "trading": _trading(summary, health),
        "reasons": [
            {
                "owner": r.owner,
                "code": r.code,
                "severity": r.severity,
                "detail": r.detail,
                "since": _time(r.time_ns),
                "latched": r.latched,
            }
            for r in summary.reasons
        ],
        "days": {day.day: plain(day.equity_end - day.equity_start) for day in summary.days},
        "health": health,
    }


def _order(record: OrderRecord) -> dict[str, Any]:
    """Return an order, and how far it has come."""
    return {
        "id": record.order.client_order_id,
        "symbol": record.order.symbol,
        "side": record.order.side,
        "contracts": plain(record.order.contracts),
        "filled": plain(record.filled),
        "type": record.order.type,
        "purpose": record.order.purpose,
        "status": record.status,
    }


def _time(time_ns: int | None) -> str | None:
    """Return a time as text. What is put on record before the first event of a market has none."""
    return iso(time_ns) if time_ns else None


def _stopped_in_order(summary: Summary, *, held: bool) -> bool | None:
    """Return whether the last run came to its end; None when none has been, or one runs."""
    if held or summary.writer is not None or not summary.epoch:
        return None
    return TradingState(summary.reasons).holds(LIFECYCLE, STOPPING)


def _trading(summary: Summary, health: dict[str, Any] | None) -> str:
    """Return the more severe of what the journal and the bot say: either may be a moment behind the other.

    What a bot said that does not answer any more is no word on what it does now.
    """
    recorded = TradingState(summary.reasons).level
    if health is None:
        return str(recorded)
    if not health["answers"]:
        return "unknown" if recorded is TradingLevel.ACTIVE else str(recorded)
    return str(max(recorded, TradingLevel(health["trading"]), key=list(TradingLevel).index))


def _unrecorded(document: dict[str, Any]) -> Iterator[str]:
    """Yield what the bot says holds trading back and the journal does not: its store may have failed."""
    known = [f"{reason['owner']}:{reason['code']} " for reason in document["reasons"]]
    health = document["health"] or {"reasons": (), "answers": True}
    stale = "" if health["answers"] else f"{health['age_s']} s ago: "
    for reason in health["reasons"]:
        if not reason.startswith(tuple(known)):
            yield f"{stale}trading restricted, not on record: {reason}"


def _on_bot(health: dict[str, Any], trading: str) -> Iterator[str]:
    """Yield what a bot says of itself; what it said when it still answered is called so."""
    yield f"a bot runs with pid {health['pid']}, {_word_on(health)}"
    stale = "" if health["answers"] else f"{health['age_s']} s ago: "
    for part in health["health"]["components"]:
        yield f"  {stale}{part['component']:<15} {part['state']}{'  ' + part['error'] if part['error'] else ''}"
    if health["answers"]:
        yield f"equity {health['equity']} {health['currency']}, trading {trading}"
        return
    yield f"  {stale}equity {health['equity']} {health['currency']}, trading {health['trading']}"
    yield f"trading now: {trading}; its journal says:"


def _word_on(health: dict[str, Any]) -> str:
    if not health["answers"]:
        return f"not answering, last seen {health['age_s']} s ago"
    return f"{'ready' if health['ready'] else 'not ready'}, seen {health['age_s']} s ago"


def _on_runs(document: dict[str, Any]) -> Iterator[str]:
    last = document["last_record"]
    if not document["starts"]:
        yield f"account {document['account']}, never started"
        return
    yield f"account {document['account']}, started {document['starts']} times, last record {last or 'none'}"
    if document["stopped_in_order"]:
        yield "stopped in order"
    elif document["stopped_in_order"] is False:
        yield (
            "ended without a stop: it was killed, or its start failed; the next start asks the exchange what became of "
            "its orders before anything grows"
        )


def _lines(document: dict[str, Any], resume: str) -> Iterator[str]:
    health = document["health"]
    if health is not None:
        yield from _on_bot(health, document["trading"])
    elif document["running_here"]:
        yield f"a bot starts or stops here and has not said how it is; its journal in {document['journal']} says:"
    else:
        holder = document["lease_holder"]
        who = "no bot runs" if holder is None else f"no bot runs here, but {holder}"
        yield f"{who}; its journal in {document['journal']} says:"
    yield from _on_runs(document)
    for currency, totals in document["ledger"].items():
        yield f"{currency}: " + ", ".join(f"{name} {amount}" for name, amount in totals.items())
    yield "positions: " + (", ".join(f"{s} {c}" for s, c in document["positions"].items()) or "none")
    for order in document["working_orders"]:
        what = f"{order['side']} {order['contracts']} {order['symbol']} {order['type']}"
        filled = "" if order["filled"] == "0" else f", {order['filled']} filled"
        yield f"order {order['id']}: {what} ({order['status']}{filled})"
    for fill in document["last_fills"][:FILLS_MAX]:
        yield f"fill {fill['side']} {fill['contracts']} {fill['symbol']} at {fill['price']}, {fill['at']}"
    for reason in document["reasons"]:
        if document["stopped_in_order"] and (reason["owner"], reason["code"]) == (LIFECYCLE, STOPPING):
            continue
        yield f"trading {reason['severity']}: {reason['owner']}:{reason['code']}, {reason['detail']}"
        if reason["latched"]:
            yield f"  until {resume}"
    yield from _unrecorded(document)
    for day, change in document["days"].items():
        yield f"{day}: {change}"
