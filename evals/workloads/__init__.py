"""Workloads: the same pipelines as specs and as plain scripts."""

from evals.workloads.base import BLENDS, NAMES, Pipeline, Workload, WorkloadSkipped, load

__all__ = ["BLENDS", "NAMES", "Pipeline", "Workload", "WorkloadSkipped", "load"]
