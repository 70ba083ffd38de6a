"""Prompt -> Decision: which tier should answer, why, and how sure that is.

- `rules`     our own default rules; no call is made
- `articles`  the rules of the three articles that routing is usually learnt from
- `model`     a cheap model answers with one word
- `embedding` the labelled examples that are most like the prompt
- `learned`   a model trained on labelled prompts
- `hybrid`    what to do where one of them is not sure
- `turns`     a follow-up is read together with what it follows
- `registry`  the look-up by name, a function of one's own and a forced tier
"""
