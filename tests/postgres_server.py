"""A PostgreSQL server for as long as the tests run: in a folder of its own, behind a socket, with nothing to lose."""

import os
import pwd
import shutil
import subprocess
import tempfile
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


def find_binaries():
    """Return the folder with initdb and pg_ctl, of the newest version there is; None when there is none."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = [Path(found).resolve().parent for found in [shutil.which("pg_ctl")] if found]
    return next((path for path in (*installed, *on_path) if (path / "initdb").exists()), None)


def ordinary_user():
    """Return whom to run it as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


class PostgresServer:
    """A cluster with one database."""

    def __init__(self, binaries):
        self._binaries = binaries
        self._user = ordinary_user()
        # Not pytest's folder: the path of a socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        rules = self.folder / "data" / "pg_hba.conf"
        rules.write_text(f"local all {GUARDED} scram-sha-256\n{rules.read_text()}")
        self.start()
        self.execute(f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'", database="postgres")
        self.execute(f"CREATE DATABASE {DATABASE}", database="postgres")

    def start(self):
        options = SETTINGS | {"unix_socket_directories": str(self.folder)}
        given = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", given, "start")

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def remove(self):
        self.stop("immediate")
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

    def _run(self, program, *arguments):
        subprocess.run(
            [self._binaries / program, "-D", self.folder / "data", *arguments],
            user=self._user,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )


def start_or_skip():
    """Return a server; skip the test where there is no PostgreSQL."""
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed: pip install '.[postgres]'")
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return PostgresServer(binaries)
