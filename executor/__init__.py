"""Runs a plan: a physical plan in, one outcome for each evaluation out."""
