"""Frozen values that every room shares. They hold data and their own invariants, no I/O."""
