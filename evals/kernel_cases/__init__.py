"""Measurements of the kernels: one module for each, with its cases in `CASES`."""
