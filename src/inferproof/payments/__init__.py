"""Ways to pay, each in a folder of its own."""
