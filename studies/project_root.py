"""The constants of `command`, for modules that are not commands."""

from command import SHIPPED, STUDIES

__all__ = ["SHIPPED", "STUDIES"]
