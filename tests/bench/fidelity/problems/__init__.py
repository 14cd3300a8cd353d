"""All problems: importing this package registers them."""

from . import synthetic, tables  # noqa: F401
