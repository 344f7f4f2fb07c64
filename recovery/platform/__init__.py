"""The platforms around a project, as far as preflight asks them."""
