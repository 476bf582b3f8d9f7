from app.simulation.faults import Fault, FaultKind, Plan, plan_of
from app.simulation.fleet import run_seeds, seeds_on_cluster
from app.simulation.shrink import shrink
from app.simulation.world import Outcome, run_plan

__all__ = [
    "Fault",
    "FaultKind",
    "Outcome",
    "Plan",
    "plan_of",
    "run_plan",
    "run_seeds",
    "seeds_on_cluster",
    "shrink",
]
