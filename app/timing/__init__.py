from app.timing.sequential_ids import SequentialIds
from app.timing.stream_clock import StreamClock
from app.timing.virtual_time import VirtualDeadlock, VirtualTimeLoop, run_virtual
from app.timing.wall_clock import WallClock

__all__ = [
    "SequentialIds",
    "StreamClock",
    "VirtualDeadlock",
    "VirtualTimeLoop",
    "WallClock",
    "run_virtual",
]
