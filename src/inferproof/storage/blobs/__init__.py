"""Immutable bytes, each under its SHA-256."""
