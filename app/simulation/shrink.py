"""From a plan that fails to the fewest faults with which it still fails the same rule."""

from collections.abc import Callable, Sequence

import msgspec

from app.simulation.faults import Fault, Plan
from app.simulation.world import Outcome

RUNS_MAX = 200

Run = Callable[[Plan], Outcome]


def shrink(plan: Plan, rule: str, run: Run) -> Plan:
    """Return a plan of the same seed whose every fault is needed to break ``rule``, within a bounded number of runs.

    Parts are left out, half of them first and then fewer at a time (delta debugging, Zeller 1999).

    >>> from types import SimpleNamespace
    >>> from app.simulation.faults import FaultKind
    >>> guilty = Fault(FaultKind.CRASH, 5.0, 0.0, 0)
    >>> plan = Plan(1, (guilty, *[Fault(FaultKind.HALT, float(at), 0.0, 0) for at in range(6, 12)]))
    >>> def run(tried):
    ...     return SimpleNamespace(rule="broken" if guilty in tried.faults else "")
    >>> [fault.kind for fault in shrink(plan, "broken", run).faults]
    [<FaultKind.CRASH: 'crash'>]
    """
    faults, runs = list(plan.faults), 0
    parts = 2
    while len(faults) > 1 and runs < RUNS_MAX:
        size = -(-len(faults) // parts)
        for start in range(0, len(faults), size):
            rest = faults[:start] + faults[start + size :]
            runs += 1
            if _fails(plan, rest, rule, run):
                faults, parts = rest, max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(len(faults), parts * 2)
    if len(faults) == 1 and _fails(plan, [], rule, run):
        faults = []
    return msgspec.structs.replace(plan, faults=tuple(faults))


def _fails(plan: Plan, faults: Sequence[Fault], rule: str, run: Run) -> bool:
    return run(msgspec.structs.replace(plan, faults=tuple(faults))).rule == rule
