"""Tells people and machines of a recovery: its events as they happen, and its journal afterwards."""
