"""What lookups and relations of nodes say, of which proofs of the private mode are made; written
from specs/relations.md.

It shares fields, transcript and graphs with the verifier of the clear mode beside it, and no code
with any other part of this repository.
"""
