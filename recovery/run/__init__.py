"""Drives the machine: observes, lets `states` decide, writes down, acts. Bears the state PIPELINE_READY."""
