"""Settlement: payments and refunds brought to the chain, and what became of them."""
