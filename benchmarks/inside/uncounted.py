"""What counting costs: the way of a message up to the inbox, with and without the lines that count."""

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
import inspect
import statistics
import textwrap
import time
from types import CodeType, FunctionType
from typing import override

_TIMES = 41


class _Silence(ast.NodeTransformer):
    """Takes the statements out that add to one of some counters."""

    def __init__(self, counters: frozenset[str]) -> None:
        self.found: set[str] = set()
        self._counters = counters

    @override
    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        name = _name(node.target)
        if name not in self._counters:
            return node
        self.found.add(name)
        return ast.copy_location(ast.Pass(), node)


def uncounted(counters: frozenset[str], *classes: type) -> Mapping[FunctionType, CodeType]:
    """Return the methods that count, with what they would be without.

    Raises LookupError if nothing adds to one of the counters: the code has changed then.
    """
    found: dict[FunctionType, CodeType] = {}
    missing = set(counters)
    for method in (each for kind in classes for each in vars(kind).values()):
        if not isinstance(method, FunctionType):
            continue
        silence = _Silence(counters)
        tree = silence.visit(ast.parse(textwrap.dedent(inspect.getsource(method))))
        if silence.found:
            missing -= silence.found
            found[method] = _compiled(tree, method)
    if missing:
        raise LookupError(f"nothing counts {', '.join(sorted(missing))}")
    return found


@contextmanager
def exchanged(codes: Mapping[FunctionType, CodeType]) -> Iterator[None]:
    """Let methods run with other code, also where somebody holds them already."""
    before = {method: method.__code__ for method in codes}
    try:
        for method, code in codes.items():
            method.__code__ = code
        yield
    finally:
        for method, code in before.items():
            method.__code__ = code


def cost(codes: Mapping[FunctionType, CodeType], work: Callable[[], object]) -> float:
    """Seconds of CPU that the work takes longer than with other code; the median of many pairs."""
    return statistics.median(_pair(codes, work) for _ in range(_TIMES))


def _pair(codes: Mapping[FunctionType, CodeType], work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    middle = time.process_time()
    with exchanged(codes):
        work()
    return 2 * middle - begin - time.process_time()


def _compiled(tree: ast.Module, method: FunctionType) -> CodeType:
    ast.fix_missing_locations(tree)
    names: dict[str, FunctionType] = {}
    exec(compile(tree, method.__code__.co_filename, "exec"), method.__globals__, names)  # noqa: S102  # our own source
    return names[method.__name__].__code__


def _name(target: ast.expr) -> str:
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=ast.Attribute(attr=name)):
            return name
    return ""
