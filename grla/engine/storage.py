"""The Optuna storage that studies live in: a SQLite file, made safe for several processes, or a PostgreSQL database."""

from __future__ import annotations

import errno
import functools
import os
import sqlite3
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import filelock
import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from sqlalchemy import URL, event, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from grla.engine.optuna_internals import STORAGE_METHODS
from grla.engine.queue import requeue
from grla.errors import InputError, require
from grla.files import sqlite_url
from grla.provenance import without_password

FILE_NAME = "studies.db"
TIMEOUT_SECONDS = 60
CONNECT_SECONDS = 10
GRACE_SECONDS = 300
"""How long a worker may be silent before its cell is given to another."""
BEATS_PER_GRACE = 5
PLANNERS = 0x67726C61
"""The lock of planners among PostgreSQL's advisory locks: "grla" in ASCII."""
PATIENCE_SECONDS = 600
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
AWAY = (OperationalError, InterfaceError)
T = TypeVar("T")


def storage_url(storage: str | None, out: Path) -> str:
    """The URL of a storage as `storage` names it, by default that of the SQLite file `{out}/studies.db`.

    Raises InputError for what is no URL, or one of another kind of database.
    """
    if storage is None:
        return sqlite_url(out / FILE_NAME)
    rule, shown = "must be postgresql://user@host/database or sqlite:///folder/file.db", without_password(storage)
    try:
        location = make_url(storage)
    except (SQLAlchemyError, ValueError) as error:
        raise InputError(f"storage {rule}, got {shown!r}") from error
    known = location.get_backend_name() in ("sqlite", "postgresql") and bool(location.database)
    require(known, "storage", rule, shown)
    return storage


def open_storage(where: Path | str, grace: int = GRACE_SECONDS) -> PatientStorage:
    """Open the database at a URL, or the `studies.db` of a folder, making file and tables if need be.

    A worker that is silent for `grace` seconds is taken to be dead. Raises InputError when the storage cannot be
    reached or written, is of another version of Optuna, or is none.
    """
    url = storage_url(None, where) if isinstance(where, Path) else where
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # our progress says more, and says it once
    with _explained(url), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # as which heartbeats still count
        storage = PatientStorage(
            url,
            engine_kwargs=_options(_writable(url)),
            heartbeat_interval=max(1, grace // BEATS_PER_GRACE),
            grace_period=grace,
            heartbeat_stale_trial_callback=requeue,
        )
    if _is_file(storage.engine.url):
        _make_safe(storage.engine)
    return storage


def require_storage(url: str) -> None:
    """Raise InputError when the URL is that of a SQLite file that does not exist: nothing can be read or joined."""
    location = make_url(url)
    if _is_file(location) and not Path(location.database or "").is_file():
        remedy = "start a run first, or give its folder or storage"
        raise InputError(f"storage {location.database} does not exist; {remedy}")


@contextmanager
def planning(url: str) -> Iterator[None]:
    """Be the only process that opens this storage or plans cells in it; others wait meanwhile.

    Of two processes that make the same tables or study at once, one fails. The lock goes when its holder dies. Raises
    InputError as `open_storage` does.
    """
    with ExitStack() as stack:
        with _explained(url):
            location = _writable(url)
            path = Path(location.database or "")
            lock = filelock.FileLock(path.with_name(f".{path.name}.lock")) if _is_file(location) else _advisory(url)
            stack.enter_context(lock)
        yield


@contextmanager
def storage_named(url: str) -> Iterator[None]:
    """Say which storage failed in mid-run, and why."""
    try:
        yield
    except StorageInternalError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        location = make_url(url)
        storage = location.database if _is_file(location) else without_password(url)
        raise InputError(f"the storage {storage} failed: {reason}; finished cells are kept") from error


@contextmanager
def _advisory(url: str) -> Iterator[None]:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, **_options(make_url(url)))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_lock(PLANNERS)))
        yield  # the lock ends with the connection


def _is_file(location: URL) -> bool:
    return location.get_backend_name() == "sqlite"


def _writable(url: str) -> URL:
    """The parsed URL; raises OSError when it is that of a file that cannot be written."""
    location = make_url(url)
    if _is_file(location):
        path = Path(location.database or "")
        path.parent.mkdir(parents=True, exist_ok=True)
        # A database is never opened beside SQLite: closing it would drop the locks of this process' connections (POSIX
        # locks are a process'), others would take the write-ahead log for left behind, and what they write be lost.
        if not path.exists():
            path.touch()
        elif path.is_dir() or not os.access(path, os.W_OK):
            number = errno.EISDIR if path.is_dir() else errno.EACCES
            raise OSError(number, os.strerror(number), str(path))
    return location


def _options(location: URL) -> dict[str, Any]:
    """What SQLAlchemy is told about connections."""
    if _is_file(location):
        return {"connect_args": {"timeout": TIMEOUT_SECONDS}}
    # A machine that stands still in the middle of a transaction must not hold its locks forever.
    ours = {"connect_timeout": CONNECT_SECONDS, "options": f"-c idle_in_transaction_session_timeout={TIMEOUT_SECONDS}s"}
    arguments = {name: value for name, value in ours.items() if name not in location.query}
    # Connections that a restart of the server cut are noticed before they are used.
    return {"connect_args": arguments, "pool_pre_ping": True}


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Say what is wrong with a storage and what to do, without its password."""
    location, shown = make_url(url), without_password(url)
    try:
        yield
    except OSError as error:
        folder = Path(location.database or "").parent
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another folder or storage") from error
    except ImportError as error:
        raise InputError(f"{shown} needs psycopg 3; pip install 'psycopg[binary]'") from error
    except RuntimeError as error:  # how Optuna says that the tables are of another version
        raise InputError(f"{shown} is not for this version of Optuna: {error}") from error
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        reason = without_password(str(getattr(error, "orig", None) or error.__cause__ or error)).splitlines()[0]
        if _is_file(location):
            path = location.database
            message = f"{path} is not a usable Optuna storage: {reason}; move it away or choose another folder"
            raise InputError(message) from error
        raise InputError(f"cannot use the storage {shown}: {reason}; {_remedy(reason)}") from error


def _remedy(reason: str) -> str:
    if "password" in reason:
        return "check the user, and the password in the URL, PGPASSWORD or ~/.pgpass"
    if "does not exist" in reason:
        return "create it with createuser or createdb"
    return "check host and port, and that the server runs and may be reached from here"


# SQLAlchemy's SQLite dialect starts transactions late, so two processes can both read before either writes, and claim
# the same trial. Explicit BEGIN IMMEDIATE takes the write lock first; WAL lets the dashboard read meanwhile.
def _make_safe(engine: Engine) -> None:
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    engine.dispose()  # the connections that made the tables know nothing of this


def _prepare_connection(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # With WAL this keeps the file whole whatever happens; a power cut may lose the last writes, whose work runs again.
    connection.execute("PRAGMA synchronous=NORMAL")


class PatientStorage(optuna.storages.RDBStorage):
    """Optuna's storage, which asks a server that does not answer again for up to `PATIENCE_SECONDS`.

    After that it raises InputError. A SQLite file is not asked again: SQLite itself waits for its lock.
    """


def is_away(error: StorageInternalError | InputError) -> bool:
    """Whether it was the server or the way to it that failed, rather than what was asked of it."""
    cause = error.__cause__
    return isinstance(cause.__cause__ if isinstance(cause, StorageInternalError) else cause, AWAY)


def _patiently(method: Callable[..., Any]) -> Callable[..., Any]:
    """`method` of a storage, repeated while the server is away.

    All of Optuna's methods are one transaction, so one that failed has left nothing, or, when the server went in the
    moment of its commit, everything; then a repeated change of a trial's state says that it has been made already.
    """

    @functools.wraps(method)
    def patient(storage: PatientStorage, *arguments: Any, **named: Any) -> Any:
        return waiting_for_server(lambda: method(storage, *arguments, **named), storage.engine.url)

    return patient


def waiting_for_server(ask: Callable[[], T], storage: str | URL) -> T:
    """What `ask` answers, asked again for up to `PATIENCE_SECONDS` while the server of the storage is away.

    Raises what `ask` raises for other reasons, and InputError when the server does not come back.
    """
    start, pause = time.monotonic(), FIRST_PAUSE_SECONDS
    while True:
        try:
            answer = ask()
        except (StorageInternalError, InputError) as error:
            if not is_away(error) or _is_file(make_url(storage)):
                raise
            reason = str(getattr(error.__cause__, "orig", error)).splitlines()[0]
            waited = time.monotonic() - start
            if waited > PATIENCE_SECONDS:
                message = f"the storage has not answered for {waited:.0f} s ({reason}); run again to go on"
                raise InputError(message) from error
            if pause == FIRST_PAUSE_SECONDS:
                _say(f"the storage does not answer ({reason}); trying again for {PATIENCE_SECONDS:.0f} s")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        else:
            if pause > FIRST_PAUSE_SECONDS:
                _say(f"the storage is back after {time.monotonic() - start:.0f} s")
            return answer


def _say(text: str) -> None:
    print(f"\n{text}", file=sys.stderr, flush=True)


for _name in STORAGE_METHODS:
    setattr(PatientStorage, _name, _patiently(getattr(optuna.storages.RDBStorage, _name)))
