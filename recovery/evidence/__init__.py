"""Observes for the states INSPECT, CLASSIFY and VERIFY: production beside the replayed history."""
