"""A PostgreSQL server for as long as the tests run: in a folder of its own, behind a socket, with nothing to lose."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

DATABASE = "perps"
GUARDED = "guarded"
"""A user who needs a password."""
PASSWORD = "s3cr3t"  # noqa: S105 - of a server that nobody else can reach
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "16MB",
    "max_connections": "25",
}


START_S = 30
"""How long a busy machine may take."""
DIES_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux: tests that are killed leave no server behind."""


def find_binaries():
    """Return the folder with initdb and postgres, of the newest version there is; None when there is none."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    return next((path for path in (*installed[::-1], *on_path) if (path / "postgres").exists()), None)


def as_ordinary_user():
    """Return how to start a child as somebody else, when we are root: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    known = {user.pw_name: user for user in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def die_with_parent():
    """In the child, before it becomes the server."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGINT)


class PostgresServer:
    """A cluster with one database."""

    def __init__(self, binaries):
        self._binaries = binaries
        self._as_user = as_ordinary_user()
        self._process = None
        # Not pytest's folder: the path of a socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._data = self.folder / "data"
        if self._as_user:
            os.chown(self.folder, self._as_user["user"], self._as_user["group"])
        subprocess.run(
            [binaries / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"],
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            **self._as_user,
        )
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"local all {GUARDED} scram-sha-256\n{rules.read_text()}")
        self.start()
        self.execute(f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'", database="postgres")
        self.execute(f"CREATE DATABASE {DATABASE}", database="postgres")

    def start(self):
        """Start it, and wait until it answers."""
        import psycopg

        settings = SETTINGS | {"unix_socket_directories": str(self.folder)}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    "-D",
                    self._data,
                    *(f"--{key}={value}" for key, value in settings.items()),
                ],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one call of the system, and no lock of ours
                **self._as_user,
            )
        deadline = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.execute("SELECT 1", database="postgres")
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self, how=signal.SIGINT):
        """Stop it: by default "fast", which ends all sessions."""
        self._process.send_signal(how)
        self._process.wait(START_S)

    def remove(self):
        """Stop it, and leave nothing."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def url(self, user="postgres", database=DATABASE):
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def execute(self, statement, *parameters, database=DATABASE, schema="public"):
        """Run a statement as the superuser; return its rows, none where it has none."""
        import psycopg

        with psycopg.connect(self.url(database=database), autocommit=True) as connection:
            connection.execute(f'SET search_path = "{schema}"')
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def clean(self):
        """Drop what a test left behind, and end whoever is still connected."""
        self.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = %s AND pid <> pg_backend_pid()",
            DATABASE,
        )
        for (schema,) in self.execute(r"SELECT nspname FROM pg_namespace WHERE nspname LIKE 'perps\_%'"):
            self.execute(f'DROP SCHEMA "{schema}" CASCADE')


def start_or_skip():
    """Return a server; skip the test where there is no PostgreSQL."""
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed: pip install '.[postgres]'")
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return PostgresServer(binaries)
