"""Find every module of sbnn that a module needs, by walking the imports of their source files."""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "sbnn"


@dataclass(frozen=True)
class Closure:
    """What a set of modules imports, directly or not, inside functions or not.

    Attributes:
        files: {path below the folder that is on sys.path: source file}, sorted.
        others: top-level names of imported packages outside sbnn and the standard library, sorted.
    """

    files: dict[str, Path]
    others: tuple[str, ...]


def import_closure(modules: Sequence[str]) -> Closure:
    """Return the closure of sbnn's modules, such as "sbnn.boards.driver".

    Raises:
        ModuleNotFoundError: one of them, or a module of sbnn that they import, does not exist.
    """
    waiting, known = list(modules), set(modules)
    files: dict[str, Path] = {}
    others: set[str] = set()
    while waiting:
        module = waiting.pop()
        path = _source(module)
        if path is None:
            raise ModuleNotFoundError(f"no module {module}", name=module)
        packages = [module.rpartition(".")[0]]
        for name in [*_imports(path, module), *packages]:
            if name.split(".")[0] != PACKAGE:
                others.add(name.split(".")[0])
            elif name not in known and _source(name) is not None:
                known.add(name)
                waiting.append(name)
        stem = module.replace(".", "/")
        files[f"{stem}/__init__.py" if path.name == "__init__.py" else f"{stem}.py"] = path
    outside = others - set(sys.stdlib_module_names) - {""}
    return Closure(dict(sorted(files.items())), tuple(sorted(outside)))


def _imports(path: Path, module: str) -> Iterator[str]:
    """Yield the names that a file imports; of `from a import b` both a and a.b."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - (node.level - 1)]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            yield base
            for alias in node.names:
                yield f"{base}.{alias.name}"


def _source(module: str) -> Path | None:
    """Return the source file of a module of sbnn; None for a namespace or a name inside a module."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)
