from app.execution.absent_orders import AbsentOrders
from app.execution.books import AccountBooks
from app.execution.flawed_fills import FlawedFills
from app.execution.flaws import flaw_of_fill, flaw_of_funding, flaw_of_repetition
from app.execution.overheard import Overheard
from app.execution.planner import Plan, Pursuit, plan
from app.execution.pursuits import Pursuits
from app.execution.recent import Recent
from app.execution.reconciliation import (
    adopting_fill,
    compare_balance,
    compare_positions,
    counted_otherwise,
    foreign_orders,
    outcome,
)
from app.execution.send_point import SendPoint, clamp_to_position
from app.execution.tracker import OrderTracker, TrackedOrder
from app.execution.trailing import Trail, trail_after

__all__ = [
    "AbsentOrders",
    "AccountBooks",
    "FlawedFills",
    "OrderTracker",
    "Overheard",
    "Plan",
    "Pursuit",
    "Pursuits",
    "Recent",
    "SendPoint",
    "TrackedOrder",
    "Trail",
    "adopting_fill",
    "clamp_to_position",
    "compare_balance",
    "compare_positions",
    "counted_otherwise",
    "flaw_of_fill",
    "flaw_of_funding",
    "flaw_of_repetition",
    "foreign_orders",
    "outcome",
    "plan",
    "trail_after",
]
