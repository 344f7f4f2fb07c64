"""SQL as text: the parse tree, and what it alone tells. No server is asked."""
