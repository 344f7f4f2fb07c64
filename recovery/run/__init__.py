"""Drives the machine: observes, lets `states` decide, journals, and acts. Home of the state PIPELINE_READY."""
