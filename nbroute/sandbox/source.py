"""The Python in what people and models write: an answer's code, a notebook's assertions."""

from __future__ import annotations

import ast
import dis
import inspect
import re
import textwrap
import types
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

from nbroute.errors import SettingsError
from nbroute.locks import Lock

#: A code fence: its mark, its label, its content. An unclosed one goes on to the end.
_BLOCK = re.compile(
    r"^[ \t]*(`{3,}|~{3,})([^`\n]*)$\n?(.*?)(?:^[ \t]*\1[`~]*[ \t\r]*$|\Z)",
    re.DOTALL | re.MULTILINE,
)
_LABELS = {"python", "python3", "py", "py3"}
_MAY_USE = (
    "they run in another process, where there is only the answer's code, the builtins "
    "and what they import or define themselves"
)
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
#: What can fail in tests: a call only if the tests do not define the function themselves.
_CAN_FAIL = (ast.Assert, ast.Raise, ast.Call)
_WARNINGS = Lock()


def code_of(text: str) -> str:
    """The Python code in an answer; empty where there is none.

    Blocks labelled as Python are joined in order; if there are none, unlabelled ones that parse;
    and if there is no block at all, the whole text if it parses. A lone word parses too, but
    does nothing and is not code.
    """
    blocks = [
        (re.split(r"[^\w+-]", said.strip("{. \t"))[0].lower(), textwrap.dedent(code).strip("\n"))
        for _, said, code in _BLOCK.findall(text)
    ]
    labelled = [code for label, code in blocks if label in _LABELS]
    if labelled:
        return "\n\n".join(labelled)
    loose = [code for label, code in blocks if not label] if blocks else [text.strip()]
    return "\n\n".join(code for code in loose if _is_program(code))


def _is_program(code: str) -> bool:
    try:
        tree = _parsed(code)
    except _UNREADABLE:
        return False
    return any(
        not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in tree.body
    )


def _parsed(code: str) -> ast.Module:
    tree: ast.Module = _compiled(code, ast.PyCF_ONLY_AST)
    return tree


def _compiled(code: str, flags: int = 0) -> Any:
    """Compile without warnings about escapes; one thread at a time, as filters are global."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(code, "<tests>", "exec", flags, dont_inherit=True)


def assertions_of(value: Any, name: str) -> str:
    """The notebook's assertions as Python: a string, a list of strings, or a function's source.

    A function is called after its definition, and so are a string's `test...` functions if
    nothing calls them. Raises SettingsError for anything else, for what does not parse, and for
    assertions that cannot fail.
    """
    parts = [value] if isinstance(value, str) else value
    if isinstance(parts, list | tuple) and all(isinstance(one, str) for one in parts):
        source = "\n".join(textwrap.dedent(one).strip("\n") for one in parts)
    elif isinstance(value, types.FunctionType):
        source = _function_source(value, name)
    else:
        _reject(
            name,
            f"are {type(value).__name__!r}; give a string of Python with assert statements, "
            "a list of such strings, or a function with no arguments",
        )
    try:
        tree = _parsed(source)
        _compiled(source)
    except _UNREADABLE as error:
        where = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else error
        _reject(name, f"are not Python: {where}")
    source += "".join(f"\n{test}()" for test in _uncalled(tree))
    _require_effect(_parsed(source), name)
    return source


def _function_source(function: types.FunctionType, name: str) -> str:
    """The definition and a call of it."""
    try:
        source = textwrap.dedent(inspect.getsource(function)).strip("\n")
        definition = _parsed(source).body[0]
        # Python 3.13 mistakes the code of `python -c` for the source of a function made by exec.
        found = getattr(definition, "name", "<lambda>") == function.__name__
    except (OSError, TypeError, SyntaxError, IndexError):
        found = False
    if not found:
        _reject(name, "are a function with no source that can be read; write it as a string")
    if not isinstance(definition, ast.FunctionDef):
        _reject(name, "are not a plain function (def ...); write one, or a string")
    if definition.decorator_list:
        _reject(name, f"have a decorator: {_MAY_USE}")
    if _required(definition) or inspect.isgeneratorfunction(function):
        _reject(name, "must be callable with no arguments and must not yield")
    _refuse_captured(function, _compiled(source), name)
    return f"{source}\n\n{definition.name}()"


def _refuse_captured(function: types.FunctionType, code: types.CodeType, name: str) -> None:
    """Refuse names from outside the function; callables pass, as the answer may define them."""
    captured = list(function.__code__.co_freevars)
    if captured:
        _reject(name, f"use {captured[0]!r} of the function around them: {_MAY_USE}")
    for used in _global_names(code):
        found = function.__globals__.get(used)
        if isinstance(found, types.ModuleType):
            _reject(name, f"use the notebook's import {used!r}; import it inside the function")
        if used in function.__globals__ and not callable(found):
            _reject(name, f"use the notebook's variable {used!r}: {_MAY_USE}")


def _global_names(code: types.CodeType) -> list[str]:
    names = [step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names += _global_names(constant)
    return names


def _reject(name: str, why: str) -> NoReturn:
    raise SettingsError(f"The tests {name!r} {why}.") from None


def _required(definition: ast.FunctionDef) -> bool:
    """Whether a call must give an argument."""
    given = definition.args
    placed = len(given.posonlyargs) + len(given.args) > len(given.defaults)
    return placed or any(default is None for default in given.kw_defaults)


def _uncalled(tree: ast.Module) -> list[str]:
    """The test functions that nothing calls."""
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test")
        and node.name not in called
        and not _required(node)
    ]


def _require_effect(tree: ast.Module, name: str) -> None:
    """Refuse tests that any answer would pass."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Compare):
            better = f"write 'assert {ast.unparse(node)}'"
            _reject(name, f"compare on line {node.lineno} and ignore the outcome; {better}")
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Tuple):
            why = f"assert a tuple on line {node.lineno}, which is always true"
            _reject(name, f"{why}; drop the parentheses")
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    acts = [node for node in ast.walk(tree) if isinstance(node, _CAN_FAIL)]
    if all(isinstance(node, ast.Call) and ast.unparse(node.func) in own for node in acts):
        _reject(name, "are empty: there is no assert in them")
    if not any(isinstance(node, _CAN_FAIL) for node in _run_at_once(tree)):
        _reject(name, "define functions and call none; call them on the last line")


def _run_at_once(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run with the module, without the bodies of its functions."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _run_at_once(node)
