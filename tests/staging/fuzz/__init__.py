"""Searches for decisions that would not leave the effects of a migration in production exactly once (RULES E17).

Histories, scripts and events are drawn from a seed and staged on a real server, and each decision is compared with
what the server itself computes.
"""
