"""Composition: opens the parts that a call needs, from its options, and closes them. Programs embed this package."""
