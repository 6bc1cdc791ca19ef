"""Parts of the engine that can be switched off, to measure what each is worth.

Input: nothing. Output: settings of the planning thread. Results do not depend on them.
"""

from dataclasses import dataclass

from planner.rewrite import RULES, Rule


@dataclass(frozen=True)
class EngineOptions:
    """See the module.

    Attributes:
        sharing: Whether requests share work with each other and with what the home keeps.
            Within one request pipelines always share.
        groups: Whether fits are grouped.
    """

    sharing: bool = True
    groups: bool = True

    @property
    def rules(self) -> tuple[Rule, ...]:
        return RULES if self.groups else tuple(r for r in RULES if not r.groups)


ALL_ON = EngineOptions()
