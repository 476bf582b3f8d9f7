"""The live view of a terminal: what the bot does, at a glance."""

from collections import deque

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from app.lifecycle import CoordinatorContext, HealthReport, HealthState
from app.telemetry.run_figures import RunFigures
from app.telemetry.status import BotStatus, bot_status

LOG_LINES_KEPT_MAX = 6
WIDE_COLUMNS = 132
"""Below it the full view would cut its numbers."""
SMALL_ROWS = 3
"""Orders and fills of the small view: with them it fills 24 lines."""
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


class LogTail:
    """A sink of the log that keeps the last lines, for the view."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=LOG_LINES_KEPT_MAX)

    def write(self, line: str) -> None:
        """Take a log line in."""
        self.lines.append(line.rstrip("\n"))

    def flush(self) -> None:
        """Do nothing: lines are shown with the next picture."""


class LiveView:
    """A status surface on a terminal."""

    name = "live_view"

    def __init__(self, console: Console, every_s: float, figures: RunFigures, log: LogTail) -> None:
        self.every_s = every_s
        self._figures = figures
        self._live = Live(console=console, screen=True, auto_refresh=False, transient=True)
        self._log = log

    def open(self) -> None:
        """Take the screen over."""
        self._live.start()

    def show(self, context: CoordinatorContext, report: HealthReport) -> None:
        """Draw a picture."""
        status = bot_status(context, report, self._figures)
        wide = self._live.console.width >= WIDE_COLUMNS
        drawn = picture(status, tuple(self._log.lines)) if wide else small_picture(status)
        self._live.update(drawn, refresh=True)

    def close(self) -> None:
        """Give the screen back."""
        self._live.stop()


def picture(status: BotStatus, log_lines: tuple[str, ...]) -> RenderableType:
    """Return the view as something that Rich can draw."""
    columns = Table.grid(expand=True, padding=(0, 1))
    columns.add_column(ratio=3)
    columns.add_column(ratio=2)
    columns.add_row(
        Group(_header(status), _positions(status), _orders(status), _fills(status)),
        Group(_account(status), _health(status), _guards(status)),
    )
    log = Panel(Text("\n".join(log_lines) or "nothing yet", style="dim", no_wrap=True), title="log", title_align="left")
    return Group(columns, log, Text("Ctrl-C stops cleanly; a second one aborts.", style="dim"))


def small_picture(status: BotStatus) -> RenderableType:
    """Return what matters most, for a terminal on which the whole would not fit: a number that is cut misleads."""
    rows = Table.grid(padding=(0, 2))
    for position in status.positions:
        rows.add_row(
            position.symbol, position.contracts, f"at {position.mark or 'unknown'}", f"PnL {position.unrealized}"
        )
    health = Text("  ")
    for component in status.health["components"]:
        state = "" if component["state"] == HealthState.HEALTHY else f" {component['state']}"
        health.append(f"{component['component']}{state}  ", style=COLOURS.get(component["state"], ""))
    money = Table.grid(padding=(0, 2))
    for first, second, third in (
        (("equity", status.equity), ("balance", status.balance), ("unrealized", status.unrealized_pnl)),
        (("realized", status.realized_pnl), ("fees", status.fees), ("funding", status.funding)),
    ):
        money.add_row("", *(f"{name} {_money(amount)}" for name, amount in (first, second, third)))
    latest = Table.grid(padding=(0, 2))
    for order in status.last_orders[:SMALL_ROWS]:
        latest.add_row(
            " order", _clock(order.time), order.symbol, order.side, order.contracts, order.type, order.status
        )
    for fill in status.last_fills[:SMALL_ROWS]:
        latest.add_row(
            " fill", _clock(fill.time), fill.symbol, fill.side, fill.contracts, fill.price, f"fee {fill.fee}"
        )
    hint = Text(f"Ctrl-C stops cleanly; from {WIDE_COLUMNS} columns on there is more to see.", style="dim")
    return Group(_header(status), money, Panel(rows, title="positions", title_align="left"), latest, health, hint)


def _header(status: BotStatus) -> Panel:
    line = Text()
    line.append(f"{status.time or 'no event yet'}  ", style="bold")
    line.append(f"{status.speed:,.0f}x  ")
    line.append(status.trading, style=COLOURS.get(status.trading, ""))
    for reason in status.reasons:
        line.append(f"\n{reason}", style="yellow")
    line.append("\n" + "  ".join(f"{symbol} {mark or 'unknown'}" for symbol, mark in status.marks.items()))
    return Panel(line, title=f"perps-bot · {status.profile} · {status.adapter}", title_align="left")


def _account(status: BotStatus) -> Panel:
    table = Table.grid(expand=True)
    table.add_column()
    table.add_column(justify="right")
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


def _money(text: str) -> str:
    whole, _, part = text.partition(".")
    return f"{int(whole or 0):,}.{(part + '00')[:2]}" if whole not in {"-0", "-"} else f"{whole}.{(part + '00')[:2]}"


def _positions(status: BotStatus) -> Panel:
    table = _table("symbol", "contracts", "average", "mark", "PnL", "liquidation")
    for position in status.positions:
        pnl = Text(position.unrealized, style="red" if position.unrealized.startswith("-") else "green")
        table.add_row(
            position.symbol,
            position.contracts,
            position.average_price,
            position.mark or "unknown",
            pnl,
            position.liquidation_price or "-",
        )
    return Panel(table, title="positions", title_align="left")


def _orders(status: BotStatus) -> Panel:
    table = _table("time", "symbol", "side", "contracts", "type", "purpose", "status")
    for order in status.last_orders:
        table.add_row(
            _clock(order.time), order.symbol, order.side, order.contracts, order.type, order.purpose, order.status
        )
    return Panel(table, title=f"last orders · {status.orders} in all, {status.denied} denied", title_align="left")


def _fills(status: BotStatus) -> Panel:
    table = _table("time", "symbol", "side", "contracts", "price", "fee")
    for fill in status.last_fills:
        table.add_row(_clock(fill.time), fill.symbol, fill.side, fill.contracts, fill.price, fill.fee)
    return Panel(table, title=f"last fills · {status.fills} in all", title_align="left")


def _clock(time: str) -> str:
    """Return the time of day of an ISO time."""
    return time[11:19]


def _health(status: BotStatus) -> Panel:
    table = Table.grid(expand=True)
    table.add_column()
    table.add_column(justify="right")
    for component in status.health["components"]:
        table.add_row(component["component"], Text(component["state"], style=COLOURS.get(component["state"], "")))
        if component.get("error"):
            table.add_row(Text(f"  {component['error']}", style="yellow"), "")
    return Panel(table, title=f"health · {'ready' if status.ready else 'not ready'}", title_align="left")


def _guards(status: BotStatus) -> Panel:
    table = Table.grid(expand=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, figure in status.guards.items():
        table.add_row(f"{name} ", Text(figure, style="dim"))
    return Panel(table, title="guards", title_align="left")


def _table(*columns: str) -> Table:
    table = Table(expand=True, box=None, padding=(0, 1))
    for column in columns:
        table.add_column(column, justify="left" if column in {"time", "symbol", "side", "type"} else "right")
    return table
