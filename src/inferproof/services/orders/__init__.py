"""Orders: quotes, and all between a request and its job."""
