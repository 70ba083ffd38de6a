"""`%%route_compare`: one prompt on several tiers or models, beside one another."""
