"""Tells buyers how their jobs ended: signed webhooks, at least once each."""
