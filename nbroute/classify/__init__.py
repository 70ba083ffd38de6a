"""Prompt -> Decision: which tier should answer, why, and how sure that is."""
