from app.lifecycle.context import ContextCell, CoordinatorContext
from app.lifecycle.coordinator import BaseCoordinator, Coordinator
from app.lifecycle.deadlines import Deadlines
from app.lifecycle.errors import (
    DeadlineExceeded,
    DependencyCycle,
    FieldRefused,
    IllegalPhase,
    NotProvided,
    NotStarted,
    OverrideRefused,
    StartFailed,
    StepCancelled,
    UndefinedDependency,
)
from app.lifecycle.health import HealthReport, HealthState, HealthStatus, TaskState, TaskStatus
from app.lifecycle.manager import SIGNALS, LifecycleManager, RunResult
from app.lifecycle.phases import Phase, Transition
from app.lifecycle.registry import CoordinatorRegistry
from app.lifecycle.stop_request import StopRequest
from app.lifecycle.supervisor import RestartPolicy, Supervisor
from app.lifecycle.units import Unit, start_order
from app.ports.exit_codes import ExitCode

__all__ = [
    "SIGNALS",
    "BaseCoordinator",
    "ContextCell",
    "Coordinator",
    "CoordinatorContext",
    "CoordinatorRegistry",
    "DeadlineExceeded",
    "Deadlines",
    "DependencyCycle",
    "ExitCode",
    "FieldRefused",
    "HealthReport",
    "HealthState",
    "HealthStatus",
    "IllegalPhase",
    "LifecycleManager",
    "NotProvided",
    "NotStarted",
    "OverrideRefused",
    "Phase",
    "RestartPolicy",
    "RunResult",
    "StartFailed",
    "StepCancelled",
    "StopRequest",
    "Supervisor",
    "TaskState",
    "TaskStatus",
    "Transition",
    "UndefinedDependency",
    "Unit",
    "start_order",
]
