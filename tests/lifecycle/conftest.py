"""Deadlines in virtual time: a part that hangs costs no wall time, and a busy machine misses no deadline."""

from app.timing import VirtualTimeLoop


def pytest_asyncio_loop_factories(config, item):
    """Run the asynchronous tests of this folder in loops that jump to the next timer."""
    return {"virtual": VirtualTimeLoop}
