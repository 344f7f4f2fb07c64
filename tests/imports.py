"""The modules of this project that a package imports at run time, read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
_OURS = ("recovery", "states")


def closure(package: str) -> frozenset[str]:
    """Every module that loading the whole package loads with it, itself included; of this project's only.

    Imports for the type checker alone are left out. Imports inside functions count.
    """
    seen: set[str] = set()
    left = list(_modules(package))
    while left:
        module = left.pop()
        if module not in seen:
            seen.add(module)
            left += imports(module)
    return frozenset(seen)


def imports(module: str) -> frozenset[str]:
    """The modules that one module names in its import statements; of this project's only."""
    path = _file(module)
    if path is None:
        raise LookupError(module)
    found: set[str] = set()
    for node in _run_time(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(name for name in found if name.split(".")[0] in _OURS and _file(name))


def _run_time(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from _run_time(child)


def _modules(package: str) -> Iterator[str]:
    yield package
    for path in sorted((ROOT / package.replace(".", "/")).rglob("*.py")):
        if path.name != "__init__.py":
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _file(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.exists()), None)
