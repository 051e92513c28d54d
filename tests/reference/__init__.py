"""What holds the second verifier, `inferproof.second_verifier`, to the vectors: `python -m
reference FILE…`, started in tests/, verifies them.

`numpy_executor` is apart from it: specs/quantisation.md as a program over the package's graphs."""
