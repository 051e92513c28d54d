"""Profiles by their byte in a key. Source: specs/sumcheck-proof.md, section 2."""

PROFILES = {1: "default", 2: "conservative", 3: "small", 4: "evm"}
PRIVATE_PROFILES = (1, 2, 4)
"""Those of the private mode."""
