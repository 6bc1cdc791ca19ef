"""Vocabularies: text vectorisers that take the same things for terms count them once.

Rule input: the outputs of a batch. Rule output: replacements for encodings. Terms of one and two
words are counted once for those of one word, too. Which terms are kept
(min_df, max_df, max_features) and what becomes of their counts (tf-idf, norms, binary counts) is
decided on the counts; so is whether they are those of CountVectorizer or of TfidfVectorizer.
"""

from collections.abc import Sequence

from planner.expressions import Call, Items, Literal
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


# Token patterns without a space: neighbours are told from words by the spaces between them.
_RUNS = frozenset(
    pattern
    for run in (r"\w+", r"\w\w+", r"\w\w\w+", *(rf"\w{{{n},}}" for n in range(1, 10)))
    for flagged in (run, rf"\b{run}\b")
    for pattern in (flagged, f"(?u){flagged}")
)
_Range = tuple[int, int]


def group_vocabularies(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of text encodings by restrictions of one counting."""
    replaced: dict[str, Node] = {}
    for family in families(outputs, _alike):
        ranges = [_range(transformer(node)) for node in family]
        for widest in _widest(ranges):
            nodes = [
                node
                for node, own in zip(family, ranges, strict=True)
                if node.key not in replaced and _within(own, widest)
            ]
            if len(nodes) < 2:
                continue
            first = next(n for n in nodes if _range(transformer(n)) == widest)
            call = transformer(first)
            shared = graph.node(TermCounts(Call(call.name, _terms(call))), *first.inputs)
            for node in nodes:
                narrower = _range(transformer(node)) != widest
                op = Vocabulary(transformer(node), narrower=narrower)
                replaced[node.key] = graph.node(op, shared)
    return replaced


def _alike(call: Call) -> tuple[object, ...] | None:
    """What a vectoriser counts, but for the range of n-grams where one may hold others. Not
    here: a vocabulary that is given, and texts in files."""
    if call.name not in _NAMES or not dict(call.params).keys() <= _TERMS | _AFTERWARDS:
        return None
    terms = _terms(call)
    return terms if _range(call) is None else tuple(t for t in terms if t[0] != "ngram_range")


def _range(call: Call) -> _Range | None:
    """The range of n-grams, where the terms of a narrower one can be told among the wider's."""
    params = dict(call.params)
    analyzer, sizes = params.get("analyzer", "word"), params.get("ngram_range")
    if analyzer not in ("word", "char", "char_wb"):
        return None
    pattern = params.get("token_pattern")
    own_words = params.get("tokenizer") is not None or (
        pattern is not None and pattern not in _RUNS
    )
    if analyzer == "word" and (("token_pattern" in params and pattern is None) or own_words):
        return None
    if sizes is None:
        return (1, 1)
    values = sizes.values if isinstance(sizes, Items) else ()
    if len(values) != 2 or not all(type(size) is int for size in values):
        return None
    least, most = values
    assert isinstance(least, int)
    assert isinstance(most, int)
    return (least, most) if 1 <= least <= most else None


def _within(own: _Range | None, other: _Range | None) -> bool:
    if own is None or other is None:
        return own == other
    return other[0] <= own[0] and own[1] <= other[1]


def _widest(ranges: Sequence[_Range | None]) -> list[_Range | None]:
    """The ranges that no other holds. In a family there are ranges, or only None."""
    distinct = sorted(set(ranges), key=lambda own: own or ())
    return [own for own in distinct if not any(_within(own, o) for o in distinct if o != own)]


def _terms(call: Call) -> tuple[tuple[str, Literal], ...]:
    return tuple(item for item in call.params if item[0] in _TERMS)
