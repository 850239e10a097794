"""Every sentence by which a refusal may stand in the log, as the code spells it.

Read from the source, so that one that is added later is found: a `{}` stands for each part that is
known only when it is said.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[3]
SAYING = {
    "Refused": 1,
    "NotPermitted": 0,
    "_nowhere": 0,
    "RegistryRefusal": 1,
    "document_error": 2,
    "_document_error": 3,
    "_metadata_error": 0,
    "SecurityRefused": 0,
    "NotUnderstood": 0,
    "MalformedMessage": 0,
    "UnexpectedMessage": 0,
    "UnwantedAnswer": 0,
    "VersionMismatch": 0,
    "MessageTooLarge": 0,
    "Effect": "reason",
    "_Unwanted": 1,
}
"""Who is called with a sentence, and as which argument."""
GIVING = {"no_way"}
"""Functions that return a sentence."""
ELSEWHERE = (
    "gateway/demo/",
    "gateway/cli/",
    "gateway/store/database.py",
    "gateway/exchange/mail_",
    "gateway/exchange/rejudging.py",
    "ihe/zip_archive.py",
    "ihe/xdm.py",
)
"""Where it ends no exchange with a partner: packages come by mail, other names mean others."""
PASSED_ON = {
    "peer_sentence(purpose)",
    "peer_sentence(delegated)",
    "peer_sentence(taking)",
    "told.reason",
    "error.reason",
    "str(refusal)",
    "'; '.join((str(given.refusal), *edge_in_words(given.edge)))",
    "reason",
    "context",
}
"""Sentences that were said elsewhere, and are found there."""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, and where it is said."""

    sentence: str
    place: str


@cache
def sentences() -> tuple[Said, ...]:
    """All of them, each as often as it is said."""
    found = []
    for package in ("gateway", "ihe"):
        for file in sorted((ROOT / package).rglob("*.py")):
            name = str(file.relative_to(ROOT))
            if not name.startswith(ELSEWHERE):
                found += _of_module(ast.parse(file.read_text(encoding="utf-8")), name)
    return tuple(found)


def _of_module(module: ast.Module, name: str) -> Iterator[Said]:
    outer = {**_imported(module), **_assigned(module.body)}
    for function in ast.walk(module):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        inner = {**outer, **_assigned(list(ast.walk(function)))}
        for node in ast.walk(function):
            argument = _sentence(node, function.name)
            if argument is not None:
                for sentence in _spelled(argument, inner):
                    yield Said(sentence, f"{name}:{argument.lineno}")


def _sentence(node: ast.AST, function: str) -> ast.expr | None:
    if isinstance(node, ast.Return) and function in GIVING:
        return node.value
    return _argument(node) if isinstance(node, ast.Call) else None


def _argument(call: ast.Call) -> ast.expr | None:
    if not isinstance(call.func, ast.Name) or call.func.id not in SAYING:
        return None
    where = SAYING[call.func.id]
    if call.func.id == "Effect" and not _is_refused(call):
        return None
    if isinstance(where, str):
        return next((one.value for one in call.keywords if one.arg == where), None)
    return call.args[where] if len(call.args) > where else None


def _is_refused(effect: ast.Call) -> bool:
    return any(isinstance(one, ast.Constant) and one.value == "refused" for one in effect.args)


def _assigned(nodes: list[ast.AST] | list[ast.stmt]) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        value = getattr(node, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and value is not None:
                found.setdefault(target.id, []).append(value)
    return found


def _imported(module: ast.Module) -> dict[str, list[ast.expr]]:
    """The texts that other modules define."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            ("gateway.", "ihe.")
        ):
            source = import_module(node.module or "")
            for alias in node.names:
                if isinstance(value := getattr(source, alias.name, None), str):
                    found[alias.asname or alias.name] = [ast.Constant(str(value))]
    return found


def _spelled(value: ast.expr, known: dict[str, list[ast.expr]]) -> Iterator[str]:
    match value:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts
            )
        case ast.IfExp(body=one, orelse=other):
            yield from _spelled(one, known)
            yield from _spelled(other, known)
        case ast.BoolOp(values=several):
            for each in several:
                yield from _spelled(each, known)
        case ast.Name(id=name) if name in known:
            for each in known[name]:
                yield from _spelled(each, known)
        case _ if (text := ast.unparse(value)) not in PASSED_ON:
            raise AssertionError(f"nobody knows what {text} says")
