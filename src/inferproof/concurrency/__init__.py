"""Small tools for coroutines, for every room above the rules."""
