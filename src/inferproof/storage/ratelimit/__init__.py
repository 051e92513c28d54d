"""Buckets of rate limits, in this process or shared."""
