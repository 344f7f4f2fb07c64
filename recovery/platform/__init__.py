"""Neon and Vercel, asked over HTTP by preflight and for restore points."""
