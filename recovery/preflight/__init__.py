"""Observes for the state PREFLIGHT: is this the right database and the right commit, and is nobody else at work?"""
