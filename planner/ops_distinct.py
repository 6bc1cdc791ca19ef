"""The op of decompositions that look at each distinct row once.

Texts repeat, and so do their rows of term counts. A randomised decomposition reads nothing but
products of the matrix with itself, in which n equal rows are one row times the root of n.
`planner.rules.distinct` says where its features may stand for the library's.
"""

from dataclasses import dataclass

from planner.ops import Encode


@dataclass(frozen=True)
class DistinctComponents(Encode):
    """TruncatedSVD or skrub's StringEncoder, decomposed by distinct rows. As an Encode.

    `near`: features within 1e-9 of the largest of the library's; where that cannot be shown, the
    library decomposes. Without it the features differ by about as much as the library's own do
    from an exact decomposition (float32 and few iterations: 1e-4 to 1e-2 of the largest): a use
    for statistical fidelity only.
    """

    near: bool = True
