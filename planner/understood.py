"""What values of a parameter are understood, as predicates. Input: a literal of a spec."""

from collections.abc import Callable

from planner.expressions import Literal

Understood = Callable[[Literal], bool]


def one_of(*values: Literal) -> Understood:
    """Exactly one of these: 1 is not True."""
    return lambda given: any(type(given) is type(value) and given == value for value in values)


def whole(least: int) -> Understood:
    return lambda given: is_whole(given) and isinstance(given, int) and given >= least


def real(least: float, most: float, *, open_below: bool = False) -> Understood:
    """A float between the two, both included unless `open_below`."""

    def understood(given: Literal) -> bool:
        if not isinstance(given, float):
            return False
        return (least < given if open_below else least <= given) and given <= most

    return understood


def either(*options: Understood) -> Understood:
    return lambda given: any(option(given) for option in options)


def is_whole(value: Literal) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def number(least: float, most: float, *, open_below: bool = False) -> Understood:
    """As `real`; an integer means the same."""
    floats = real(least, most, open_below=open_below)
    return lambda given: floats(float(given)) if is_number(given) else False  # type: ignore[arg-type]


def is_number(value: Literal) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
