from app.research.engines import Chosen, EngineName, choose_engine
from app.research.errors import ResearchRefused
from app.research.event_path import EventPath
from app.research.luck import CONFIDENCE, deflated_sharpe
from app.research.on_cluster import on_cluster
from app.research.report import write_search_report
from app.research.results import Results
from app.research.sampling import SamplerName
from app.research.search import Found, Goal, search
from app.research.space import Space
from app.research.trial import Window
from app.research.walk_forward import Step, compounded, walk_forward, windows_of
from app.research.workers import workers

__all__ = [
    "CONFIDENCE",
    "Chosen",
    "EngineName",
    "EventPath",
    "Found",
    "Goal",
    "ResearchRefused",
    "Results",
    "SamplerName",
    "Space",
    "Step",
    "Window",
    "choose_engine",
    "compounded",
    "deflated_sharpe",
    "on_cluster",
    "search",
    "walk_forward",
    "windows_of",
    "workers",
    "write_search_report",
]
