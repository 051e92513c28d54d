"""Hiding openings: a second verifier, written from specs/hiding-opening.md.

It shares no code with the first.
"""
