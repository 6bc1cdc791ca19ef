"""Backends: each runs the ops it supports; the Python one is the oracle for the others."""
