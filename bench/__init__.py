"""Measurements of inferproof and of its peer. `make bench` runs `bench/run.py`."""
