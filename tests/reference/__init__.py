"""A second verifier of proof system `sumcheck`, written from specs/transcript.md and
specs/sumcheck-proof.md: slow, plain Python of the standard library, no code shared with any other
part of this repository. `python -m reference FILE…`, started in tests/, verifies vectors.

`numpy_executor` is apart from it: specs/quantisation.md as a program over the package's graphs."""
