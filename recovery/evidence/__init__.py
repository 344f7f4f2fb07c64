"""Observations for the states INSPECT, CLASSIFY and VERIFY: production compared with the replayed history."""
