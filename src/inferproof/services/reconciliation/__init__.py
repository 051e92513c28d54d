"""The books: the order book held against the chain, by whoever asks or time and again."""
