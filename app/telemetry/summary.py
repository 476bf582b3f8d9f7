"""The figures of a run at its end, for people and as a document."""

from typing import Any

from app.domain.money import ZERO, plain
from app.domain.reasons import LIFECYCLE
from app.domain.times import iso
from app.domain.trading_state import TradingState
from app.lifecycle import CoordinatorContext, HealthReport, RunResult
from app.telemetry.run_figures import RunFigures

UNMARKED_SHOWN_MAX = 5


class RunSummary:
    """Takes the final figures while the context is still there, and tells them when the run is over."""

    def __init__(self) -> None:
        self._figures: dict[str, Any] = {}
        self._unmarked: tuple[int, ...] = ()

    def take(self, context: CoordinatorContext, report: HealthReport, figures: RunFigures) -> None:
        """Take the figures of a bot whose stream has come to its end."""
        figures.freeze()
        portfolio, reasons = context.portfolio, context.trading_state.current.reasons
        self._unmarked = tuple(figures.unmarked_settlements)
        self._figures = {
            "time_first": None if figures.first_ns is None else iso(figures.first_ns),
            "time_last": None if figures.last_ns is None else iso(figures.last_ns),
            "events": figures.events,
            "bars": figures.bars,
            "elapsed_s": round(figures.elapsed_s, 3),
            "bars_per_second": round(figures.bars_per_second, 1),
            "orders": figures.orders,
            "orders_denied": figures.denied,
            "orders_denied_by": dict(figures.denied_by.most_common()),
            "fills": figures.fills,
            "liquidations": figures.liquidations,
            "run_fees": plain(figures.fees.get(portfolio.currency, ZERO)),
            # In no balance, and in no equity.
            "run_fees_elsewhere": {
                currency: plain(fee)
                for currency, fee in sorted(figures.fees.items())
                if fee and currency != portfolio.currency
            },
            "run_funding": plain(figures.funding),
            "fees": plain(portfolio.ledger.fees),
            "funding": plain(portfolio.ledger.funding),
            "settlements_without_mark": [iso(time_ns) for time_ns in self._unmarked],
            "realized_pnl": plain(portfolio.ledger.realized),
            "unrealized_pnl": plain(portfolio.unrealized),
            "balance": plain(portfolio.balance),
            "equity": plain(portfolio.equity),
            "currency": portfolio.currency,
            "positions": {position.symbol: plain(position.contracts) for position in portfolio.positions},
            # What held trading back before the stop did.
            "trading": str(TradingState(tuple(r for r in reasons if r.owner != LIFECYCLE)).level),
            "held_back": [f"{r.owner}:{r.code} ({r.detail})" for r in reasons if r.owner != LIFECYCLE],
            "orders_digest": context.journal.digest(),
            "coordinators": {item.component: str(item.state) for item in report.components},
            "problems": {item.component: item.error for item in report.components if item.error},
        }

    def document(self, result: RunResult) -> dict[str, Any]:
        """Return the run as one document. Money is exact text."""
        return {
            "exit_code": int(result.exit_code),
            "exit_reason": result.reason,
            "errors": list(result.errors),
            **self._figures,
        }

    def stopped(self, result: RunResult) -> str | None:
        """Return why the run ended, for people; None when it never came up, and the errors say it."""
        if result.errors and not self._figures:
            return None
        return f"stopped: {result.reason} (exit code {int(result.exit_code)})"

    def problems(self) -> list[str]:
        """Return what parts had to complain of at the end, for people."""
        return [f"{component}: {error}" for component, error in self._figures.get("problems", {}).items()]

    def lines(self) -> list[str]:
        """Return the figures as lines for people."""
        figures = self._figures
        if not figures:
            return []
        lines = [
            f"market {figures['time_first']} to {figures['time_last']}",
            f"{figures['events']} events in {figures['elapsed_s']:.1f} s",
            f"{figures['orders']} orders, {figures['orders_denied']} denied, {figures['fills']} fills",
            f"balance {figures['balance']}, unrealized {figures['unrealized_pnl']} {figures['currency']}",
            f"equity {figures['equity']} {figures['currency']}",
            f"realized {figures['realized_pnl']}, fees {figures['fees']}, funding {figures['funding']}",
        ]
        lines += [
            f"fees of {fee} {currency} are in no balance" for currency, fee in figures["run_fees_elsewhere"].items()
        ]
        lines += [f"still open: {contracts} {symbol}" for symbol, contracts in figures["positions"].items()]
        lines += [f"held back: {reason}" for reason in figures["held_back"]]
        if figures["liquidations"]:
            lines.append(f"{figures['liquidations']} liquidations")
        if self._unmarked:
            shown = ", ".join(iso(time_ns) for time_ns in self._unmarked[:UNMARKED_SHOWN_MAX])
            more = " …" if len(self._unmarked) > UNMARKED_SHOWN_MAX else ""
            lines.append(
                f"{len(self._unmarked)} funding settlements had no mark price, the last price stood in: {shown}{more}"
            )
        return lines
