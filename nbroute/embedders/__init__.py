"""Texts -> vectors, and what is kept of them.

- `wordllama`  static word vectors, offline (an extra)
- `endpoint`   any endpoint with /embeddings
- `kept`       each text embedded once, and the examples that the user taught, in SQLite files
"""
