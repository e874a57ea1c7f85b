"""The Optuna storage that studies live in: one SQLite file, made safe for several processes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import optuna
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from grla.errors import InputError

FILE_NAME = "studies.db"
TIMEOUT_SECONDS = 60


def open_storage(out: Path) -> optuna.storages.RDBStorage:
    """Open `{out}/studies.db`, making it if need be.

    Raises InputError when the folder or the file cannot be written or the file is no Optuna storage.
    """
    path = out / FILE_NAME
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # our progress says more, and says it once
    try:
        out.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{path.resolve()}", engine_kwargs={"connect_args": {"timeout": TIMEOUT_SECONDS}}
        )
    except OSError as error:
        raise InputError(f"cannot write the storage {path}: {error.strerror}; choose another --out") from error
    except (SQLAlchemyError, RuntimeError, optuna.exceptions.OptunaError) as error:
        message = f"{path} is not a usable Optuna storage: {error}; move it away or choose another --out"
        raise InputError(message) from error
    _make_safe(storage.engine)
    return storage


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
