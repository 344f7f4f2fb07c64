"""What a migration does, step by step, found by running it in a scratch database."""
