"""Texts -> vectors, and what is kept of them.

- `wordllama`          static word vectors, offline (an extra)
- `openai_compatible`  any endpoint with /embeddings
- `remembered`         each text embedded once, kept in a file
- `taught`             the examples that the user taught, in the same file
"""
