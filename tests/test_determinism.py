"""The determinism contract: in decision logic, time, randomness and ids come through ports."""

import ast
from pathlib import Path

import pytest

APP = Path(__file__).parents[1] / "app"
DECIDING = ("domain", "indicators", "strategies", "risk", "execution", "coordinators")
FORBIDDEN_CALLS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "asyncio.create_task",
    "uuid4",
    "uuid.uuid4",
    "threading.Thread",
}
FORBIDDEN_IMPORTS = {"random", "secrets", "threading", "uuid"}
WALL_TIME = {
    # What these measure is the machine, never the market.
    "coordinators/runtime.py",
    "coordinators/system_monitor.py",
}


def sources():
    return [path for part in DECIDING for path in sorted((APP / part).rglob("*.py"))]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(APP)))
def test_decisions_depend_on_nothing_but_the_stream(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in FORBIDDEN_CALLS, f"{path}:{node.lineno}"
        if isinstance(node, ast.Import):
            assert not {alias.name for alias in node.names} & FORBIDDEN_IMPORTS, f"{path}:{node.lineno}"
        if isinstance(node, ast.ImportFrom):
            assert node.module not in FORBIDDEN_IMPORTS, f"{path}:{node.lineno}"
            wall = node.module == "time" and str(path.relative_to(APP)) not in WALL_TIME
            assert not wall, f"{path}:{node.lineno}"
        if isinstance(node, ast.For | ast.comprehension):
            # The order of a set changes with PYTHONHASHSEED.
            assert not isinstance(node.iter, ast.Set | ast.SetComp), f"{path}: iterates over a set"
