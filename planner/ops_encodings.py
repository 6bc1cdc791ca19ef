"""The ops of transformers that share the dear part of their fits.

Neighbouring encodings of the same features (PCA of several sizes, the best k columns for
several k, vocabularies of several bounds) do most of their work alike: decompose, score, count.
That part is one node, kept as a block where several tasks read it; each encoding is what it does
with it. `planner.rules.encodings` and its neighbours say which encodings these are.
"""

from dataclasses import dataclass
from typing import ClassVar

from planner.expressions import Call, text
from planner.graph import Op, Plane, Role


@dataclass(frozen=True)
class Encoding(Op):
    """A transformer's work on the training and validation rows of a fold, or a part of it."""

    transformer: Call
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FEATURES

    @property
    def label(self) -> str:
        return text(self.transformer)

    @property
    def subject(self) -> str:
        return self.transformer.name


@dataclass(frozen=True)
class Decomposition(Encoding):
    """What PCAs of several `sizes` compute alike. `transformer` is any, without n_components.

    Inputs: features, folds. Value per fold: ``(solver, mean, components, variance, scores)``, of
    the largest size that can be shared: (p,), (size, p), (size,), and the (n_train, size)
    projected training rows where the decomposition yields them (else None). ``()`` where these
    sizes or this shape make the library's solvers compute nothing alike.
    """

    sizes: tuple[int, ...]

    @property
    def label(self) -> str:
        sizes = ", ".join(map(str, self.sizes))
        return f"{text(self.transformer)}, decomposed once for n_components={sizes}"


@dataclass(frozen=True)
class Components(Encoding):
    """PCA of one size from a decomposition. Inputs: a Decomposition, features, folds.

    Value per fold: the pair (training features, validation features), as of an Encode.
    """


@dataclass(frozen=True)
class ColumnScores(Encoding):
    """Scores of columns by the score function of `transformer`, a univariate selector.

    Inputs: features, folds, target. Value per fold: ``(scores, p-values)``, (p,) each; None for
    p-values that the function does not give.
    """

    @property
    def label(self) -> str:
        return f"column scores of {text(self.transformer)}"


@dataclass(frozen=True)
class ChosenColumns(Encoding):
    """The columns that a univariate selector chooses. Inputs: ColumnScores, features, folds.

    Value per fold: the pair (training features, validation features), as of an Encode.
    """


@dataclass(frozen=True)
class TermCounts(Encoding):
    """Counts of all terms of a text column. `transformer` says what is a term.

    Inputs: features, folds. Value per fold: ``(terms, train, train codes, valid, valid codes)``:
    the terms of the training rows in the order in which they first come up; and of both sides
    sparse (distinct texts, terms) counts and for each row, which distinct text it has.
    """

    @property
    def label(self) -> str:
        return f"term counts of {text(self.transformer)}"


@dataclass(frozen=True)
class Vocabulary(Encoding):
    """The matrices of a text vectoriser from counts of all terms. Input: TermCounts.

    `narrower`: some counted terms are not its own, for their `ngram_range` is wider.

    Value per fold: the pair (training features, validation features), as of an Encode.
    """

    narrower: bool = False
