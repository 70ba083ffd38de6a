"""Texts -> vectors, and what is kept of them."""
