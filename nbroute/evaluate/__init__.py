"""How well a classifier routes, training one, and a session under other settings.

- `training_data`  a frame or a CSV file -> labelled prompts; near-duplicates
- `training`       `fit`: labelled prompts -> the learned classifier and its figures
- `figures`        APGR and its intervals; the learned classifier next to its rivals
- `model_file`     the learned classifier's file: `save` and `load`
- `whatif`         a session under other settings, with nothing sent; `past`,
                   `scenarios` and `whatif_text` are its parts
"""
