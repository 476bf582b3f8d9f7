"""The command line, run as a person runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def call(tmp_path):
    """Run the command line in a folder of its own, with nothing of this machine's settings."""

    def run(*words, timeout=60, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
        return subprocess.run(
            [sys.executable, "-m", "app", *words],
            cwd=tmp_path,
            env=kept | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path / "state")} | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
