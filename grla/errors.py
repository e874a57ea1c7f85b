"""Exceptions that report what a user can fix, and the checks that raise them."""

from __future__ import annotations

from collections.abc import Collection


class InputError(ValueError):
    """An argument, a file or a setting cannot be used.

    The message names the thing, the rule, the value found and the remedy; commands print it without a traceback.
    """


class ModelError(InputError):
    """A network does not do what every network must. In a study that is the outcome of its cells."""


class NotFinite(ModelError):
    """A network's answer has NaN or infinite values: it has diverged."""


class Interrupted(Exception):
    """The user asked to stop. Finished work is kept, and running again resumes from there."""


def reason_of(error: Exception) -> str:
    """What an error says in one line: an InputError as it is, any other after its kind."""
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}".splitlines()[0]


def require(holds: bool, name: str, rule: str, value: object) -> None:
    """Raise InputError "name rule, got value" unless `holds`."""
    if not holds:
        raise InputError(f"{name} {rule}, got {value!r}")


def require_at_least(name: str, value: object, least: int) -> None:
    """Raise InputError unless `value` is a whole number of at least `least`."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    require(whole and value >= least, name, f"must be a whole number of at least {least}", value)  # type: ignore[operator]


def require_choice(name: str, value: object, choices: Collection[object]) -> None:
    """Raise InputError, listing the choices, unless `value` is one of them."""
    require(value in choices, name, f"must be one of {', '.join(map(str, choices))}", value)
