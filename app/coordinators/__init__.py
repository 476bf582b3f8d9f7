from app.coordinators.execution import ExecutionCoordinator
from app.coordinators.runtime import RuntimeCoordinator
from app.coordinators.strategy import StrategyCoordinator
from app.coordinators.system_monitor import SystemMonitor
from app.coordinators.telemetry import TelemetryCoordinator

__all__ = [
    "ExecutionCoordinator",
    "RuntimeCoordinator",
    "StrategyCoordinator",
    "SystemMonitor",
    "TelemetryCoordinator",
]
