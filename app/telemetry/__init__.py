from app.telemetry.fact_bus import FactBus
from app.telemetry.fact_log import FactLog
from app.telemetry.health_file import HealthFile
from app.telemetry.live_view import LiveView, LogTail
from app.telemetry.logs import configure_logs
from app.telemetry.metrics import MetricStore
from app.telemetry.run_figures import RunFigures
from app.telemetry.summary import RunSummary

__all__ = [
    "FactBus",
    "FactLog",
    "HealthFile",
    "LiveView",
    "LogTail",
    "MetricStore",
    "RunFigures",
    "RunSummary",
    "configure_logs",
]
