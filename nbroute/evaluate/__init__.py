"""How good routing is, learning from labels, and a session under other settings."""
