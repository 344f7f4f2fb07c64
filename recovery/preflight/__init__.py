"""Observes for the state PREFLIGHT: is this the right database, the right commit, and a quiet moment?"""
