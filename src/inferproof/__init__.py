"""inferproof: machine-learning answers that prove themselves."""

from importlib.metadata import version

__version__ = version("inferproof")
