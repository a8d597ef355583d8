"""Systematic faults in the emitters: one change in a module's syntax tree, and what it then generates.

A child process imports the changed module in place of the real one, generates every network and hands the
designs back; the real simulation, reference and proofs then judge them.
"""

import ast
import importlib.abc
import importlib.util
import os
import pickle
import random
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

EMITTERS = (
    *("rows", "sharing", "ends", "circuit", "compress", "heap", "sums", "wired"),
    *("segments", "stitch"),
)
# What a child must import anew: the emitters and all that holds on to them.
KEPT = ("layer", "network", "maps", "reference", "manifest", "tools")
SECONDS = 60

SWAPS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt,),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
TEXTS = {
    "~": "",
    "": "~",
    "<": ">=",
    ">=": "<",
    "-": "",
    " + ": " - ",
    "signed ": "",
    "1'b0": "1'b1",
}


@dataclass(frozen=True)
class Mutant:
    """One change of an emitter.

    Attributes:
        kind: what was changed.
        module: its name in sbnn.hls.
        line: number of the line, from 1.
        new: the changed statement or expression.
        source: the whole module.
    """

    kind: str
    module: str
    line: int
    new: str
    source: str


def mutants(module: str, share: float = 1.0, seed: int = 0) -> Iterator[Mutant]:
    """Yield a random share of the changes of a module of sbnn.hls."""
    text, drawn = _source(module).read_text(), random.Random(f"{module} {seed}")
    for number in range(len(list(_places(ast.parse(text))))):
        if drawn.random() < share:
            tree = ast.parse(text)
            kind, node, change = list(_places(tree))[number]
            change()
            yield Mutant(kind, module, node.lineno, ast.unparse(node), ast.unparse(tree))


def _places(tree: ast.Module) -> Iterator[tuple]:
    """Yield (kind, node, function that changes it in place) in a fixed order, types and words left out."""
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign | ast.FunctionDef):
            annotations = [getattr(node, key, None) for key in ("annotation", "returns")]
            skipped |= {id(part) for top in annotations if top for part in ast.walk(top)}
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom):
            skipped |= {id(part) for part in ast.walk(node)}
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("comment", "Template")):
            skipped |= {id(part) for part in ast.walk(node)}
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
    for node in ast.walk(tree):
        if id(node) not in skipped and hasattr(node, "lineno"):
            yield from _changes(node)


def _changes(node: ast.AST) -> Iterator[tuple]:
    def put(kind, field, value):
        return kind, node, lambda: setattr(node, field, value)

    match node:
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign():
            for new in SWAPS.get(type(node.op), ()):
                yield put("operator", "op", new())
        case ast.Compare():
            for new in SWAPS.get(type(node.ops[0]), ()):
                yield put("relation", "ops", [new(), *node.ops[1:]])
        case ast.Constant(value=bool()):
            yield put("constant", "value", not node.value)
        case ast.Constant(value=int()):
            for step in (1, -1):
                yield put("off by one", "value", node.value + step)
        case ast.Constant(value=str()) if node.value in TEXTS:
            yield put("text", "value", TEXTS[node.value])
        case ast.If() | ast.IfExp():
            yield put("condition", "test", ast.UnaryOp(ast.Not(), node.test))
        case ast.UnaryOp(op=ast.USub()):
            yield put("polarity", "op", ast.UAdd())
        case ast.UnaryOp(op=ast.Not()):
            yield put("polarity", "operand", ast.UnaryOp(ast.Not(), node.operand))
        case ast.Call(func=ast.Name(id="min" | "max" | "setdefault" | "isinstance" | "range")):
            return
        case ast.Call(func=ast.Name(id="reversed"), args=[_]):
            yield put("order", "func", ast.Name("list", ast.Load()))
        case ast.Call(args=[first, second], keywords=[]) if not isinstance(second, ast.Starred):
            yield put("swapped arguments", "args", [second, first])
        case ast.Slice(lower=None, upper=ast.expr() as upper):
            yield put("slice", "upper", ast.BinOp(upper, ast.Add(), ast.Constant(1)))
        case ast.List(elts=[*parts]) | ast.Tuple(elts=[*parts], ctx=ast.Load()) if len(parts) > 1:
            yield put("dropped element", "elts", parts[:-1])


def _source(module: str) -> Path:
    spec = importlib.util.find_spec(f"sbnn.hls.{module}")
    if spec is None or spec.origin is None:
        raise ImportError(module)
    return Path(spec.origin)


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the changed module first."""

    def __init__(self, mutant: Mutant) -> None:
        self.name, self.source = f"sbnn.hls.{mutant.module}", mutant.source

    def find_spec(self, fullname, path=None, target=None):
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def exec_module(self, module):
        exec(compile(self.source, self.name, "exec"), module.__dict__)


def designs(mutant: Mutant | None, networks: Sequence, choices) -> list | str:
    """Return (design, {file: text}) of every network by a changed generator, or how that fell over."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        signal.alarm(SECONDS)
        sys.setrecursionlimit(2000)
        try:
            content = pickle.dumps(_generate(mutant, networks, choices))
        except BaseException as error:
            content = pickle.dumps(f"{type(error).__name__}: {error}")
        with os.fdopen(write, "wb") as stream:
            stream.write(content)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        content = stream.read()
    os.waitpid(child, 0)
    return pickle.loads(content) if content else f"did not end in {SECONDS} s"


def _generate(mutant: Mutant | None, networks: Sequence, choices) -> list:
    if mutant is not None:
        for name in [name for name in sys.modules if name.startswith("sbnn.hls.")]:
            if name.removeprefix("sbnn.hls.") not in KEPT:
                del sys.modules[name]
                delattr(sys.modules["sbnn.hls"], name.removeprefix("sbnn.hls."))
        sys.meta_path.insert(0, _Changed(mutant))
    design_module = importlib.import_module("sbnn.hls.design")
    stitch = importlib.import_module("sbnn.hls.stitch")
    made = []
    for network, choice in zip(networks, choices, strict=True):
        design = design_module.make_design(network, design_module.Choices(**vars(choice)))
        files = stitch.rtl_files(design)  # also works out what the design keeps of itself
        made.append((design, files))
    return made
