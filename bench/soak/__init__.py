"""The soak run: many paid jobs while everything around them fails; see `__main__`."""
