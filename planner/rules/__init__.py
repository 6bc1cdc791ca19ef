"""Rewrite rules, one family a file. A rule maps nodes to equal but cheaper nodes."""
