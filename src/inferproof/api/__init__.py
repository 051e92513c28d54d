"""The HTTP door: routes, wire shapes, the error envelope, metrics."""
