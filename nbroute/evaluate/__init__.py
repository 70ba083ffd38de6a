"""How well a classifier routes, training one, and a session under other settings."""
