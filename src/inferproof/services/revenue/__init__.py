"""Revenue of developers and platform."""
