"""Proof systems behind one protocol: compile, prove, verify, estimate, describe."""
