"""Events of contracts: read from a chain into the database, and shown as a history."""
