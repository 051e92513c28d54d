"""Counts of openings in files, for `prove` alone, and the marks that compiled models keep."""
