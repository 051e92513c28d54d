"""The committed mode: a second verifier of its proofs, written from specs/committed-mode.md.

It shares fields, transcript, openings and graphs with the verifier of the clear mode beside it, and
no code with any other part of this repository.
"""
