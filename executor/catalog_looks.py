"""Looks at hold-outs in the catalog: how many pipelines have been scored on each.

Input: ids of hold-outs and of what was scored on them. Output: counts, which never go down.
"""

import time
from collections.abc import Iterable, Mapping

from executor.catalog_file import Database


class LookTable(Database):
    """A hold-out is named by data, target and rows (see `tools.finalists.holdout_id`); what was
    scored on it, by the keys of its fits, so that asking for the same score again is no new look.
    """

    workspace: str

    def add_looks(self, looks: Mapping[str, Iterable[str]]) -> dict[str, int]:
        """Notes looks by hold-out, in one transaction; how many each has had by now."""
        now = time.time()
        with self.write() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO looks (holdout, pipeline, created) VALUES (?, ?, ?)",
                [(id, pipeline, now) for id, found in looks.items() for pipeline in found],
            )
            counted = "SELECT count(*) FROM looks WHERE holdout = ?"
            return {id: connection.execute(counted, (id,)).fetchone()[0] for id in looks}

    def scored_outside(self, dataset: str, target: str, holdout: str) -> bool:
        """Whether an evaluation of this dataset and target in this workspace was scored by folds
        without this hold-out; `holdout` is how settings of evaluations name it."""
        sql = (
            "SELECT 1 FROM evaluations WHERE workspace = ? AND dataset = ? AND target = ?"
            " AND status = 'ok' AND instr(settings, ?) = 0 LIMIT 1"
        )
        return bool(self.read(sql, (self.workspace, dataset, target, holdout)))
