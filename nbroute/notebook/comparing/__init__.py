"""`%%route_compare`: one prompt on several tiers or models, side by side."""
