"""One Hypothesis profile: a slow machine is not a failure."""

from hypothesis import settings

settings.register_profile("inferproof", deadline=None, print_blob=True)
settings.load_profile("inferproof")
