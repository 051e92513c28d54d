"""The second verifier's part for the mode `clear`, written from specs/transcript.md and
specs/sumcheck-proof.md, and what holds it to the vectors: `python -m reference FILE…`, started in
tests/, verifies them. The other part is `inferproof.second_verifier`.

`numpy_executor` is apart from it: specs/quantisation.md as a program over the package's graphs."""
