"""The storage protocols and the rows that pass through them.

    orders           Orders: the five ports of orders in one value
    jobs             Jobs: payment reservations and the jobs that they bought
    queue            Queue: work that waits, leases, answers
    settlements      Settlements: settlements and refunds, and what the chain takes back
    outbox           Outbox: signed transactions, and the blocks that they came into
    ledger           Ledger: sums and pages of all these
    models           ModelStore: the registry of models and their versions
    verifications    Verifications: what was verified here, and how it ended
    deliveries       Deliveries: webhooks to send, in the transaction of what they tell
    leader_lock      LeaderLock: the right to do something for all processes on one database
    blobs            BlobStore, ArtifactStore: immutable bytes, and compiled models
    rate_limits      RateLimiter, ApiKeyStore: who may ask how often
    opening_budgets  OpeningBudgets: how often each key may still be opened
    reuse            when a payment that is already reserved may be presented again

A method that changes something returns after the change is durable. Every method raises
Unavailable STORAGE_UNAVAILABLE or STORAGE_FULL when the medium fails; nothing is half done then.
"""
