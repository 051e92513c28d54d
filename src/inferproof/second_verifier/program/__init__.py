"""Programs for the contract that checks private proofs.

A program says in a few instructions what the second verifier computes for one key: it is that
verifier, run once with symbols in the place of what a proof says. The contract trusts a program as
far as whoever names its digest does; anyone can make it again from the key.

Source: specs/programs.md.
"""
