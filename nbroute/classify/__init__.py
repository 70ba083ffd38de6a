"""Prompt -> Decision: which tier should answer, why, and how sure that is.

- `rules`     our own default rules; no call is made
- `articles`  the rules of the three articles that routing is usually learnt from
- `model`     a cheap model answers with one word
- `hybrid`    the rules where they are sure, else the model
- `simple`    a forced tier, a function of one's own, and the look-up by name
"""
