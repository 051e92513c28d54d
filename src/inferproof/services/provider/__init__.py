"""Following the open orders of an escrow: which this server would serve, and why not the others."""
