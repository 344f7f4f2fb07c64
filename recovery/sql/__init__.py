"""Analyses SQL text by its parse tree alone, without a server."""
