"""The version of this tool, apart from all that takes time to load."""

__version__ = "0.1.0"
