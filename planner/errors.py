"""The one error tree. Everything an agent can be told about a failure is a `StratumError`.

Input: what went wrong. Output: a stable `code`, a message, the place in the spec, and a hint.
"""

import difflib
from collections.abc import Iterable
from typing import Self


class StratumError(Exception):
    """A failure that is reported to the caller.

    Attributes:
        code: Stable snake_case identifier; callers may branch on it.
        message: What was wrong, in one or two sentences.
        path: Where in the request, such as ``pipelines[3].model``; empty if nowhere in it.
        hint: What to do instead; empty if there is nothing to advise.
        node: Key of the node that failed, where another one ran in its place.
    """

    node: str = ""

    def __init__(self, code: str, message: str, *, path: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path
        self.hint = hint

    def __str__(self) -> str:
        where = f" (at {self.path})" if self.path else ""
        hint = f" Hint: {self.hint}" if self.hint else ""
        return f"[{self.code}] {self.message}{where}{hint}"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries; keyword-only fields need explicit state.
        return (_rebuild, (type(self), self.code, self.message, self.path, self.hint))

    def at(self, prefix: str) -> Self:
        """The same error with its path put below `prefix` (``prefix`` + ``.`` + path)."""
        if not prefix:
            return self
        joiner = "" if not self.path or self.path.startswith("[") else "."
        return type(self)(
            self.code, self.message, path=f"{prefix}{joiner}{self.path}", hint=self.hint
        )

    def to_dict(self) -> dict[str, str]:
        """``{"code", "message", "path", "hint"}``, all strings."""
        return {
            "code": self.code,
            "message": self.message,
            "path": self.path,
            "hint": self.hint,
        }


def _rebuild(
    kind: type[StratumError], code: str, message: str, path: str, hint: str
) -> StratumError:
    return kind(code, message, path=path, hint=hint)


class SpecError(StratumError):
    """The request is at fault; the same request will always fail."""


class DataError(StratumError):
    """The data do not fit the request (an overflow, an empty table, one class in a fold)."""


class ExecutionError(StratumError):
    """Running it failed: a fit that raised, a timeout, memory, a crashed worker."""


class ServerError(StratumError):
    """The server cannot do it now or at all: a closed engine, an incompatible catalog."""


def nearest(name: str, candidates: Iterable[str], n: int = 3) -> list[str]:
    """Up to `n` candidates that look like `name`, best first, ignoring case."""
    by_fold: dict[str, str] = {}
    for candidate in candidates:
        by_fold.setdefault(candidate.casefold(), candidate)
    found = difflib.get_close_matches(name.casefold(), by_fold, n=n, cutoff=0.6)
    return [by_fold[key] for key in found]


def did_you_mean(name: str, candidates: Iterable[str], otherwise: str = "") -> str:
    """A hint naming what looks like `name`, else `otherwise`."""
    found = nearest(name, candidates)
    if not found:
        return otherwise
    quoted = [f"'{item}'" for item in found]
    listed = quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]
    return f"Did you mean {listed}?"
