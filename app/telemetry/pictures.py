"""What the live view draws: the whole on a large terminal, what matters most on a small one. No number is ever cut."""

import re
from decimal import Decimal

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from app.domain.money import brief
from app.domain.reasons import RISK
from app.lifecycle import HealthState
from app.telemetry.status import BotStatus, OrderLine, PositionStatus

WIDE_COLUMNS = 132
WIDE_ROWS = 30
"""Below them the full view would cut its numbers, or its end."""
LISTED_MIN = 3
NEAR = 0.7
"""How much of its limit a guard has used up when it is shown at the top."""
NEAR_LISTED_MAX = 3
LOG_LINES_MIN = 3
LINE = re.compile(r"\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)\.\d+Z (\w+) +(.*)", re.DOTALL)
"""A line of the log: its time of day, its level, and the rest."""
MARKET_TIME = re.compile(r" at=\S+")
SHORT = {"consecutive_losses": "losses", "liquidation_buffer": "liquidation"}
"""Names of guards, where the figure says the rest."""
COLOURS = {
    "healthy": "green",
    "starting": "yellow",
    "degraded": "yellow",
    "unhealthy": "bold red",
    "stopped": "dim",
    "active": "bold green",
    "reduce_only": "bold yellow",
    "halted": "bold red",
}


def picture(console: Console, status: BotStatus, log_lines: tuple[str, ...]) -> RenderableType:
    """Return the view as something that Rich can draw, as large as the terminal."""
    if console.width >= WIDE_COLUMNS and console.height >= WIDE_ROWS:
        top: RenderableType = _large(status, console.height)
    else:
        top = _small(status)
    rows = console.height - len(console.render_lines(top)) - 2
    return Group(top, _log(console, log_lines, rows)) if rows > 0 else top


def _large(status: BotStatus, height: int) -> Table:
    listed = max(LISTED_MIN, (height - 18 - len(status.positions) - len(status.reasons) - LOG_LINES_MIN) // 2)
    columns = Table.grid(expand=True, padding=(0, 1))
    columns.add_column(ratio=3)
    columns.add_column(ratio=2)
    columns.add_row(
        Group(_header(status), _positions(status), _orders(status, listed), _fills(status, listed)),
        Group(_account(status), _health(status), _guards(status)),
    )
    return columns


def _small(status: BotStatus) -> Group:
    rows = Table.grid(padding=(0, 2))
    for position in status.positions:
        rows.add_row(
            position.symbol,
            position.contracts,
            f"average {position.average_price}",
            f"mark {position.mark or 'unknown'}",
            f"PnL {_money(position.unrealized)}",
        )
    money = Table.grid(padding=(0, 2))
    for three in (
        (("equity", status.equity), ("balance", status.balance), ("unrealized", status.unrealized_pnl)),
        (("realized", status.realized_pnl), ("fees", status.fees), ("funding", status.funding)),
    ):
        money.add_row("", *(f"{name} {_money(amount)}" for name, amount in three))
    latest = Table.grid(padding=(0, 2))
    for order in status.last_orders[:LISTED_MIN]:
        latest.add_row(" order", _clock(order), order.symbol, order.side, order.contracts, order.type, order.status)
    for fill in status.last_fills[:LISTED_MIN]:
        latest.add_row(
            " fill",
            _time_of_day(fill.time),
            fill.symbol,
            fill.side,
            fill.contracts,
            fill.price,
            f"fee {_money(fill.fee)}",
        )
    health = Text(" ")
    for part in status.health["components"]:
        is_healthy = part["state"] == HealthState.HEALTHY
        words = f"✓ {part['component']}  " if is_healthy else f"✗ {part['component']} {part['state']}  "
        health.append(words, style=COLOURS.get(part["state"], ""))
    return Group(_header(status), money, Panel(rows, title="positions", title_align="left"), latest, health)


def _header(status: BotStatus) -> Panel:
    line = Text()
    line.append(f"{status.time or 'no event yet'}  ", style="bold")
    line.append(f"{status.speed:,.0f}x  ")
    line.append(status.trading, style=COLOURS.get(status.trading, ""))
    for reason in status.reasons:
        line.append(f"\n{reason}", style="yellow")
    for name in _near(status)[:NEAR_LISTED_MAX]:
        line.append(f"\nnear its limit: {SHORT.get(name, name)} {status.guards[name]}", style="yellow")
    line.append("\n" + "  ".join(f"{symbol} {mark or 'unknown'}" for symbol, mark in status.marks.items()))
    names = dict.fromkeys(("perps-bot", status.profile, status.adapter))
    # At the top, where a terminal of any height has it.
    hint = Text("Ctrl-C stops cleanly; a second one aborts", style="dim")
    return Panel(line, title=" · ".join(names), title_align="left", subtitle=hint, subtitle_align="right")


def _near(status: BotStatus) -> list[str]:
    """Return the guards that are near their limits, the nearest first; what is past its limit is among the reasons."""
    told = {reason.partition(" ")[0] for reason in status.reasons}
    near = [name for name, part in status.nearness.items() if part >= NEAR and f"{RISK}:{name}" not in told]
    return sorted(near, key=lambda name: -status.nearness[name])


def _account(status: BotStatus) -> Panel:
    table = _pairs()
    for name, amount in (
        ("equity", status.equity),
        ("balance", status.balance),
        ("realized", status.realized_pnl),
        ("unrealized", status.unrealized_pnl),
        ("fees", status.fees),
        ("funding", status.funding),
    ):
        table.add_row(name, Text(_money(amount), style="red" if amount.startswith("-") else ""))
    return Panel(table, title=f"account · {status.currency}", title_align="left")


def _positions(status: BotStatus) -> Panel:
    table = _table("symbol", "contracts", "average", "mark", "PnL", "liquidation")
    for position in status.positions:
        pnl = Text(_money(position.unrealized), style="red" if position.unrealized.startswith("-") else "green")
        table.add_row(
            position.symbol,
            position.contracts,
            position.average_price,
            position.mark or "unknown",
            pnl,
            _liquidation(position),
        )
    return Panel(table, title="positions", title_align="left")


def _liquidation(position: PositionStatus) -> str:
    return position.liquidation_price or ("unknown" if position.mark is None else "unreachable")


def _orders(status: BotStatus, listed: int) -> Panel:
    table = _table("time", "symbol", "side", "contracts", "type", "purpose", "status")
    for order in status.last_orders[:listed]:
        table.add_row(_clock(order), order.symbol, order.side, order.contracts, order.type, order.purpose, order.status)
    return Panel(table, title=f"last orders · {status.orders} in all, {status.denied} denied", title_align="left")


def _fills(status: BotStatus, listed: int) -> Panel:
    table = _table("time", "symbol", "side", "contracts", "price", "fee")
    for fill in status.last_fills[:listed]:
        table.add_row(_time_of_day(fill.time), fill.symbol, fill.side, fill.contracts, fill.price, _money(fill.fee))
    return Panel(table, title=f"last fills · {status.fills} in all", title_align="left")


def _health(status: BotStatus) -> Panel:
    table = _pairs()
    for part in status.health["components"]:
        table.add_row(part["component"], Text(part["state"], style=COLOURS.get(part["state"], "")))
        if part.get("error"):
            table.add_row(Text(f"  {part['error']}", style="yellow"), "")
    return Panel(table, title=f"health · {'ready' if status.ready else 'not ready'}", title_align="left")


def _guards(status: BotStatus) -> Panel:
    table = _pairs()
    for name, figure in status.guards.items():
        style = "yellow" if status.nearness[name] >= NEAR else "dim"
        table.add_row(f"{SHORT.get(name, name)} ", Text(figure, style=style))
    return Panel(table, title="guards", title_align="left")


def _log(console: Console, lines: tuple[str, ...], rows: int) -> Panel:
    """Return the latest lines, as many as there is room for when each is wrapped."""
    shown: list[Text] = []
    for line in reversed(lines):
        text = _short(line)
        rows -= len(text.wrap(console, console.width - 4))
        if rows < 0:
            break
        shown.insert(0, text)
    return Panel(Group(*shown) if shown else Text("nothing yet", style="dim"), title="log", title_align="left")


def _short(line: str) -> Text:
    """Return a line of the log without what the view shows elsewhere: date, market time, and a level of no alarm."""
    found = LINE.fullmatch(line)
    if found is None:
        return Text(line, style="dim")
    time, level, rest = found.groups()
    rest = MARKET_TIME.sub("", rest)
    if level in {"WARNING", "ERROR", "CRITICAL"}:
        return Text(f"{time} {level} {rest}", style="yellow" if level == "WARNING" else "bold red")
    return Text(f"{time} {rest}", style="dim")


def _table(*columns: str) -> Table:
    table = Table(expand=True, box=None, padding=(0, 1))
    for column in columns:
        is_text = column in {"time", "symbol", "side", "type"}
        table.add_column(column, justify="left" if is_text else "right", overflow="fold")
    return table


def _pairs() -> Table:
    """Return a table of names and figures. What is too long goes on in the next line: half a number misleads."""
    table = Table.grid(expand=True)
    table.add_column(overflow="fold")
    table.add_column(justify="right", overflow="fold")
    return table


def _money(text: str) -> str:
    return text if text == "unknown" else f"{Decimal(brief(Decimal(text))):,f}"


def _clock(order: OrderLine) -> str:
    return "earlier" if order.time is None else _time_of_day(order.time)


def _time_of_day(time: str) -> str:
    """Return the time of day of an ISO time."""
    return time[11:19]
