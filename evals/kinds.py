"""Kinds of work in the profile of a Stratum run. Input: seconds by kind. Output: what they say."""

from collections.abc import Mapping

# Kinds that are no operation of a pipeline, of those spent in workers.
OVERHEAD = ("blocks", "messages")
ENGINE = ("planning", "scheduling", "recording", "other")
# Entries that are no kind of work.
TOTALS = ("wall", "cores", "worker")


def coverage(profile: Mapping[str, float]) -> float:
    """Share of the workers' seconds that operations, blocks and messages add up to."""
    kinds = sum(s for name, s in profile.items() if name not in (*ENGINE, *TOTALS, "idle"))
    return kinds / profile["worker"] if profile["worker"] else 1.0


def in_words(profile: Mapping[str, float]) -> str:
    """A sentence for reports."""
    worker = profile["worker"] or 1.0
    overhead = {name: profile.get(name, 0.0) / worker for name in OVERHEAD}
    operations = coverage(profile) - sum(overhead.values())
    total = profile["wall"] * profile["cores"] or 1.0
    engine = sum(profile.get(name, 0.0) for name in ENGINE)
    return (
        f"{coverage(profile):.0%} of the workers' {worker:.1f} s are accounted for: "
        f"{operations:.0%} operations, {overhead['blocks']:.0%} blocks, "
        f"{overhead['messages']:.0%} messages; of cores x wall time, the engine process used "
        f"{engine / total:.0%} and {profile['idle'] / total:.0%} were idle"
    )
