"""inferproof: machine-learning answers that prove themselves."""
