"""A module's checks, and the module without one of them.

A check is an `if …: raise <Refusal>(…)`, or in rules that give verdicts an `if …: return …` of a
refusal or its reason. `without` takes a single one out of the running code, so that a test can
show what only that check had kept out.
"""

import ast
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType


@dataclass(frozen=True, slots=True)
class Check:
    """`function` refuses with `reason` (the text up to its first variable part), at `line`."""

    function: str
    reason: str
    line: int


def checks_in(module: ModuleType, refusal: str) -> list[Check]:
    """Every check of the module that raises `refusal`."""
    found = []
    for function in _functions(ast.parse(inspect.getsource(module))):
        for node in ast.walk(function):
            if isinstance(node, ast.If) and (raised := _raised(node, refusal)) is not None:
                found.append(Check(function.name, _reason(raised), node.lineno))
    return found


def verdicts_in(module: ModuleType, refusal: str) -> list[Check]:
    """Every check of the module that gives `refusal`, or the text of a reason."""
    found = []
    for function in _functions(ast.parse(inspect.getsource(module))):
        for node in ast.walk(function):
            if isinstance(node, ast.If) and isinstance(node.body[-1], ast.Return):
                reason = _returned(node.body[-1].value, refusal)
                if reason is not None:
                    found.append(Check(function.name, reason, node.lineno))
    return found


@contextmanager
def without(module: ModuleType, check: Check) -> Iterator[None]:
    """The module as it would be if the check had never been written."""
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and node.lineno == check.line:
            node.test = ast.copy_location(ast.Constant(False), node.test)
    function = getattr(module, check.function)
    assert isinstance(function, FunctionType)
    kept = function.__code__
    function.__code__ = _code(compile(tree, kept.co_filename, "exec"), check.function)
    try:
        yield
    finally:
        function.__code__ = kept


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _raised(node: ast.If, refusal: str) -> ast.Call | None:
    for statement in node.body:
        if isinstance(statement, ast.Raise) and isinstance(statement.exc, ast.Call):
            called = statement.exc.func
            if isinstance(called, ast.Name) and called.id == refusal:
                return statement.exc
    return None


def _returned(value: ast.expr | None, refusal: str) -> str | None:
    """The reason that is returned; a refusal of another rule's goes by the name it has here."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return _text(value.args[1]) if value.func.id == refusal else None
    if isinstance(value, ast.Name) and value.id == "refused":
        return value.id
    is_text = isinstance(value, ast.JoinedStr | ast.Constant) and not _is_none(value)
    return _text(value) if value is not None and is_text else None


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and not isinstance(value.value, str)


def _reason(raised: ast.Call) -> str:
    return _text(raised.args[0])


def _text(text: ast.expr) -> str:
    if isinstance(text, ast.JoinedStr):
        return "…".join(
            part.value if isinstance(part, ast.Constant) else "" for part in text.values
        ).strip("…")
    assert isinstance(text, ast.Constant)
    return str(text.value)


def _code(module: CodeType, name: str) -> CodeType:
    (found,) = (
        one for one in module.co_consts if isinstance(one, CodeType) and one.co_name == name
    )
    return found
