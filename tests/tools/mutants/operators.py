"""What is changed: every mutant of a source file, as a replacement of some bytes.

Left out are annotations, decorators, assertions, f-strings and log lines; the values of
constants in capitals, of defaults beyond 1 and of numbers beyond HTTP's statuses, which
are tuned, and of which only the use is behaviour; and `<` for `<=` between readings of
a clock, which are never equal.
"""

import ast
import copy
import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
# From `<` to `<=` and so on: only an exact hit tells them apart.
_BOUNDARIES = {
    (ast.Lt, ast.LtE),
    (ast.LtE, ast.Lt),
    (ast.Gt, ast.GtE),
    (ast.GtE, ast.Gt),
}
_CLOCK = re.compile(
    r"\b(now|time\(\)|monotonic\(\)|\w*(_at|until|deadline|due|expires)\b)"
)
_SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "type_params"}
_LONGEST_SHOWN = 70


# A node, what becomes of it, and whether that is inside a function.
_Change = tuple[ast.expr | ast.stmt, ast.expr | ast.stmt, bool]


@dataclass(frozen=True)
class Mutant:
    """One change to one file."""

    path: str  # relative to the project
    line: int
    start: int  # of the replaced bytes
    end: int
    text: str  # what replaces them
    change: str  # for people, and for the list of equivalent ones
    code: str  # the line it is on, stripped
    is_in_function: bool  # False: it runs when the module is imported

    @property
    def package(self) -> str:
        parts = self.path.split("/")
        deep = 2 if parts[0] == "gateway" and len(parts) > 2 else 1
        return "/".join(parts[:deep])

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same when lines move."""
        return self.path, self.code, self.change

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.end :]


def mutants_of(path: str, source: str) -> list[Mutant]:
    """All mutants of a file that can be compiled, in the order of their places."""
    data = source.encode()
    line_starts = [0, *itertools.accumulate(map(len, data.splitlines(keepends=True)))]
    lines = source.splitlines()
    found = []
    for node, new, is_in_function in _changes(ast.parse(source), False):
        start = line_starts[node.lineno - 1] + node.col_offset
        end = line_starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        text = ast.unparse(new)
        mutant = Mutant(
            path=path,
            line=node.lineno,
            start=start,
            end=end,
            text=f"({text})" if isinstance(new, ast.expr) else text,
            change=f"{_shown(ast.unparse(node))} → {_shown(text)}",
            code=lines[node.lineno - 1].strip(),
            is_in_function=is_in_function,
        )
        if _is_compiled(mutant.applied(data)):
            found.append(mutant)
    return sorted(found, key=lambda one: (one.start, one.end, one.text))


def sample(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """The same for the same code and seed."""
    chosen = random.Random(seed).sample(mutants, min(count, len(mutants)))
    return sorted(chosen, key=lambda one: (one.path, one.start))


def _shown(code: str) -> str:
    text = " ".join(code.split())
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _is_compiled(source: bytes) -> bool:
    try:
        compile(source, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _changes(node: ast.AST, is_in_function: bool) -> Iterator[_Change]:
    """Each node in this one that can be replaced, with what it becomes."""
    if _is_skipped(node, is_in_function):
        return
    if isinstance(node, ast.expr) and not _is_tuned(node, is_in_function):
        for new in _expression_changes(node):
            yield node, new, is_in_function
    elif isinstance(node, ast.stmt):
        for changed in _statement_changes(node):
            yield node, changed, is_in_function
    for test in _conditions(node):
        yield test, ast.UnaryOp(ast.Not(), test), is_in_function
    for child, is_inside in _children(node, is_in_function):
        yield from _changes(child, is_inside)


def _children(node: ast.AST, is_in_function: bool) -> Iterator[tuple[ast.AST, bool]]:
    opens = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for field, value in ast.iter_fields(node):
        if field in _SKIPPED_FIELDS or (field == "keywords" and _is_zip(node)):
            continue
        # A function's defaults are made when the module is imported.
        is_inside = is_in_function or (opens and field != "args")
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child, is_inside


def _is_zip(node: ast.AST) -> bool:
    """Whether its keyword is an assertion that the lengths are equal, as they are."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "zip"


def _is_skipped(node: ast.AST, is_in_function: bool) -> bool:
    if isinstance(node, ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ast.unparse(node.value.func).startswith(("logger.", "logging."))
    if isinstance(node, ast.Assign) and not is_in_function:
        names = [one.id for one in node.targets if isinstance(one, ast.Name)]
        return any(name.isupper() for name in names)
    if isinstance(node, ast.AnnAssign) and not is_in_function:
        return isinstance(node.target, ast.Name) and node.target.id.isupper()
    return False


def _is_tuned(node: ast.expr, is_in_function: bool) -> bool:
    """Whether it is a number of which one more or less is nobody's concern."""
    match node:
        case ast.Constant(value=int(value) | float(value)):
            return value > (599 if is_in_function else 1)
    return False


def _conditions(node: ast.AST) -> list[ast.expr]:
    """What decides in an `if`, unless another operator turns it round already."""
    tests: list[ast.expr] = []
    if isinstance(node, ast.If | ast.IfExp):
        tests = [node.test]
    elif isinstance(node, ast.comprehension):
        tests = node.ifs
    return [one for one in tests if not _has_opposite(one)]


def _has_opposite(test: ast.expr) -> bool:
    if isinstance(test, ast.Compare):
        return len(test.ops) == 1
    return isinstance(test, ast.Constant) or (
        isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    )


def _expression_changes(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Compare():
            yield from _comparison_changes(node)
        case ast.BoolOp(op=operator, values=values):
            other = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield ast.BoolOp(other, values)
            for place in range(len(values)):
                rest = values[:place] + values[place + 1 :]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
            if value:
                yield ast.Constant(value - 1)
        case ast.BinOp(left=left, op=operator, right=right):
            if type(operator) in _ARITHMETIC and not _is_text(node):
                yield ast.BinOp(left, _ARITHMETIC[type(operator)](), right)


def _comparison_changes(node: ast.Compare) -> Iterator[ast.Compare]:
    of_clocks = _CLOCK.search(ast.unparse(node)) is not None
    for place, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            if of_clocks and (type(operator), other) in _BOUNDARIES:
                continue
            new = copy.deepcopy(node)
            new.ops[place] = other()
            yield new


def _is_text(node: ast.expr) -> bool:
    """Whether arithmetic on it is putting together, or a format."""
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _statement_changes(node: ast.stmt) -> Iterator[ast.stmt]:
    match node:
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Delete():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.AugAssign(target=target, op=operator, value=value):
            yield ast.Pass()
            other = _ARITHMETIC.get(type(operator))
            if other is not None and not _is_text(value):
                yield ast.AugAssign(target, other(), value)
        case ast.Return(value=ast.expr() as value):
            if not isinstance(value, ast.Constant) or value.value not in (None, False):
                yield ast.Return(ast.Constant(None))
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
