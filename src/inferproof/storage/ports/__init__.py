"""The storage protocols and the rows that pass through them.

    orders         OrderBook: payment reservations, jobs, the outbox, answers
    models         ModelStore: the registry of models and their versions
    verifications  Verifications: what was verified here, and how it ended
    deliveries     Deliveries: webhooks to send, in the transaction of what they tell
    turn           Turn: the right to do something for all processes on one database
    blobs          BlobStore, ArtifactStore: immutable bytes, and compiled models

A method that changes something returns after the change is durable. Every method raises
Unavailable STORAGE_UNAVAILABLE or STORAGE_FULL when the medium fails; nothing is half done then.
"""
