"""How well a classifier routes, and training one: benchmark data and the figures worked out on it.

- `datasets`    prompts with the scores of a weak and a strong model
- `metrics`     APGR, CPT, bootstrap intervals, tier shares, accuracy
- `training`    `fit`: labelled prompts -> the learned classifier and its figures
- `labels`      a frame or a CSV file -> labelled prompts
- `duplicates`  which prompts are nearly the same
- `figures`     the learned classifier beside random, prompt length, the present one, the oracle
- `modelfile`   the learned classifier's file: `save` and `load`
- `whatif`      a session under other settings, with nothing sent; `past`, `rerouting`, `scenario`,
                `speeds` and `whatif_text` are its parts
- `workload`    a seeded mixed workload of development prompts, and the third article's table on it
"""
