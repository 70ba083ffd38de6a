"""How well a classifier routes: benchmark data and the figures worked out on it.

- `datasets`  prompts with the scores of a weak and a strong model
- `metrics`   APGR, CPT, bootstrap intervals, tier shares, accuracy
"""
