"""The order book and the registry in SQL, on SQLite now and PostgreSQL alike."""
