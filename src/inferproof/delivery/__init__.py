"""The adapter that calls what strangers name, without being led inside."""
