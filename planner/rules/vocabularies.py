"""Vocabularies: text vectorisers that take the same things for terms count them once.

Rule input: the outputs of a batch. Rule output: replacements for encodings. Which terms are kept
(min_df, max_df, max_features) and what becomes of their counts (tf-idf, norms, binary counts) is
decided on the counts; so is whether they are those of CountVectorizer or of TfidfVectorizer.
"""

from collections.abc import Sequence

from planner.expressions import Call, Literal
from planner.graph import Graph, Node
from planner.ops_encodings import TermCounts, Vocabulary
from planner.rules.encodings import families, transformer

_NAMES = frozenset({"CountVectorizer", "TfidfVectorizer"})
# What is a term; equal in a family.
_TERMS = frozenset(
    "analyzer decode_error encoding lowercase ngram_range preprocessor stop_words strip_accents "
    "token_pattern tokenizer".split()
)
_AFTERWARDS = frozenset(
    "binary dtype max_df max_features min_df norm smooth_idf sublinear_tf use_idf".split()
)


def group_vocabularies(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of text encodings by restrictions of one counting."""
    replaced: dict[str, Node] = {}
    for nodes in families(outputs, _alike):
        call = transformer(nodes[0])
        common = Call(call.name, _terms(call))
        shared = graph.node(TermCounts(common), *nodes[0].inputs)
        for node in nodes:
            replaced[node.key] = graph.node(Vocabulary(transformer(node)), shared)
    return replaced


def _alike(call: Call) -> tuple[tuple[str, Literal], ...] | None:
    """What a vectoriser counts. Not here: a vocabulary that is given, and texts in files."""
    if call.name not in _NAMES or not dict(call.params).keys() <= _TERMS | _AFTERWARDS:
        return None
    return _terms(call)


def _terms(call: Call) -> tuple[tuple[str, Literal], ...]:
    return tuple(item for item in call.params if item[0] in _TERMS)
