"""Receipts: built, attached, and verified for who asks."""
