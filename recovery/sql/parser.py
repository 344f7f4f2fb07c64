"""PostgreSQL's own parser, by way of `postgast`.

Looked up, not imported: mypy takes its generated stubs for a mistake in syntax, and would then say nothing else to a
program that imports us.
"""

from importlib import import_module
from typing import Any

postgast: Any = import_module("postgast")
