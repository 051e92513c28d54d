"""Fakes and helpers that are shipped, so that users test with what we test with."""
