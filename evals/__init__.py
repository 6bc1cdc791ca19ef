"""Workloads, baselines, parity oracle and reports: is it right, and how much faster."""
