"""Whether the routing is any good: measured, calibrated, examined."""
