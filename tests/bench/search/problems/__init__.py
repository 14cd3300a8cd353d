"""Importing this package registers every problem."""

from . import bbob, categorical, conditional, functions, real, shaped  # noqa: F401
