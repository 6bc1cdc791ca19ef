"""Finds ``choose(...)`` in expression text without changing a character around it.

Input: expression text. Output: the text in pieces, plain and chosen. Python's AST gives the
places; its columns count UTF-8 bytes of a line.
"""

import ast
import re
from dataclasses import dataclass
from typing import Any

from planner.errors import SpecError
from planner.expression_syntax import parse_tree

_MENTION = re.compile(r"\bchoose\s*\(")
_LINE_END = re.compile(rb"\r\n|\r|\n")
# Deeper expressions are refused when they are parsed, choices or not.
_MAX_DEPTH = 100
_OPERATORS = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda)
_BRACKETED = (ast.Call, ast.List, ast.Tuple, ast.Dict)


@dataclass(frozen=True)
class Found:
    """One ``choose(...)``.

    Attributes:
        options: Each in pieces, as choices may nest.
        shown: Each as labels show it: the value of a literal, else the text, with nested choices
            left open as ``...``.
        owner: Candidate labels from the expression: ``("C", "SVC.C")``; empty at its top.
        name: The label given by ``name=``; empty if none.
    """

    options: tuple[tuple["str | Found", ...], ...]
    shown: tuple[Any, ...]
    owner: tuple[str, ...]
    name: str


def is_plain(text: str) -> bool:
    """Whether `text` surely holds no choice."""
    return _MENTION.search(text) is None


def find(text: str) -> tuple[str | Found, ...]:
    """`text` in pieces; just itself if it is no expression or holds no choice.

    Raises:
        SpecError: `invalid_choice` for a choice without options, or with odd arguments.
    """
    try:
        tree = parse_tree(text)
    except SpecError:
        return (text,)  # said to be wrong, more fittingly, when it is parsed
    stripped = text.strip()
    start = text.index(stripped) if stripped else 0
    pieces = _Finder(stripped).pieces(tree, (), False, None)
    return (text[:start], *pieces, text[start + len(stripped) :])


class _Finder:
    def __init__(self, source: str) -> None:
        self.data = source.encode()
        self.lines = [0, *(match.end() for match in _LINE_END.finditer(self.data))]

    def span(self, node: ast.expr) -> tuple[int, int]:
        """The bytes of `node`."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self.lines[node.lineno - 1] + node.col_offset,
            self.lines[node.end_lineno - 1] + node.end_col_offset,
        )

    def pieces(
        self,
        node: ast.expr,
        owner: tuple[str, ...],
        operand: bool,
        span: tuple[int, int] | None,
    ) -> tuple[str | Found, ...]:
        """The text of `span` (all of it if None), which holds `node`, in pieces."""
        found: list[tuple[tuple[int, int], Found]] = []
        self._collect(node, owner, operand, found, 0)
        at, end = span or (0, len(self.data))
        result: list[str | Found] = []
        for (left, right), choice in sorted(found, key=lambda item: item[0]):
            result += [self.data[at:left].decode(), choice]
            at = right
        return (*result, self.data[at:end].decode())

    def _collect(
        self,
        node: ast.AST,
        owner: tuple[str, ...],
        operand: bool,
        found: list[tuple[tuple[int, int], Found]],
        depth: int,
    ) -> None:
        if depth > _MAX_DEPTH:
            return
        depth += 1
        match node:
            case ast.Call(func=ast.Name(id="choose")):
                found.append((self.span(node), self._choice(node, owner, operand)))
            case ast.Call(func=function, args=args, keywords=keywords):
                callee = _callee(function)
                self._collect(function, owner, False, found, depth)
                for position, arg in enumerate(args, 1):
                    own = (callee, f"{callee}.{position}") if callee else owner
                    self._collect(arg, own, False, found, depth)
                for keyword in keywords:
                    own = owner
                    if keyword.arg:
                        own = (keyword.arg,)
                        own += (f"{callee}.{keyword.arg}",) if callee else ()
                    self._collect(keyword.value, own, False, found, depth)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    own = owner
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        own = (key.value,)
                    elif key is not None:
                        self._collect(key, owner, False, found, depth)
                    self._collect(value, own, False, found, depth)
            case _:
                inside = isinstance(node, _OPERATORS)
                for child in ast.iter_child_nodes(node):
                    self._collect(child, owner, inside, found, depth)

    def _choice(self, node: ast.Call, owner: tuple[str, ...], operand: bool) -> Found:
        name = ""
        for keyword in node.keywords:
            value = keyword.value
            given = isinstance(value, ast.Constant) and isinstance(value.value, str)
            if keyword.arg != "name" or not given:
                raise SpecError(
                    "invalid_choice",
                    "choose(...) takes its options by position, and at most a name.",
                    hint="Write choose(0.1, 1, 10) or choose(0.1, 1, 10, name='C').",
                )
            assert isinstance(value, ast.Constant)
            name = str(value.value)
        if not node.args or any(isinstance(arg, ast.Starred) for arg in node.args):
            raise SpecError(
                "invalid_choice",
                "choose(...) needs its options one by one.",
                hint="Write choose(0.1, 1, 10).",
            )
        options = tuple(self._option(arg, owner, operand) for arg in node.args)
        shown = tuple(_shown(arg, option) for arg, option in zip(node.args, options, strict=True))
        return Found(options, shown, owner, name)

    def _option(
        self, arg: ast.expr, owner: tuple[str, ...], operand: bool
    ) -> tuple[str | Found, ...]:
        left, right = self.span(arg)
        pieces = self.pieces(arg, owner, operand, (left, right))
        lines = _LINE_END.search(self.data, left, right) is not None
        if (operand and isinstance(arg, _OPERATORS)) or (lines and not isinstance(arg, _BRACKETED)):
            return ("(", *pieces, ")")
        return pieces


def _callee(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _shown(arg: ast.expr, option: tuple[str | Found, ...]) -> Any:
    try:
        value = ast.literal_eval(arg)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        value = None
    if isinstance(value, bool | int | float | str) or (
        value is None and isinstance(arg, ast.Constant)
    ):
        return value
    return "".join(piece if isinstance(piece, str) else "..." for piece in option)
