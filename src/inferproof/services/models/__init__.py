"""Models: what providers submit, what is offered, and what is known of each."""
