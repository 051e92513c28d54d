"""What lookups and relations of nodes say, of which proofs are made; written
from specs/relations.md.

It shares fields, transcript and graphs with the verifier of proofs beside it, and no code
with any other part of this repository.
"""
