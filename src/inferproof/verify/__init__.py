"""The verifier: numbered steps, and the policy of what is trusted. No I/O, no prover."""
