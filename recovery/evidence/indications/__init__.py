"""Indications of who changed production, and when. They are shown to people, and prove nothing."""
