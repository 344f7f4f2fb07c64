"""What hints at who did what and when; shown to people, and never a proof."""
