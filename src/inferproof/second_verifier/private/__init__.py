"""Private proofs: a second verifier, written from specs/private-mode.md.

It shares no code with the first. What lookups and reduction check is the text of
`reference.relations`, which holds values as forms in pads here; the opening is `reference.hiding`.
"""
