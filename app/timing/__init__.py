from app.timing.sequential_ids import SequentialIds
from app.timing.stream_clock import StreamClock
from app.timing.virtual_time import VirtualDeadlock, run_virtual
from app.timing.wall_clock import WallClock

__all__ = [
    "SequentialIds",
    "StreamClock",
    "VirtualDeadlock",
    "WallClock",
    "run_virtual",
]
