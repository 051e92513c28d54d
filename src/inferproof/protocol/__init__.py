"""Pure rules: encodings, commitments, statement, quote, receipt, job life cycle.

Nothing here touches network, clock, database, settings, randomness or log; times, salts and
nonces are arguments.
"""
