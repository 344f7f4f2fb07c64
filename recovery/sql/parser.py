"""PostgreSQL's own parser, from the package `postgast`.

It is imported by name at run time: mypy finds a syntax error in the package's generated stubs, and would then check
nothing else in a program that imports this one.
"""

from importlib import import_module
from typing import Any

postgast: Any = import_module("postgast")
