"""Rate limits: who is counted, in which buckets, and what a refusal says."""
