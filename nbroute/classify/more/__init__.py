"""More classifiers by name: each file here is one, with `CLASSIFIER`, whose `name` is its name.

They decide by themselves: what sends something to decide is made in `nbroute/router.py`.
"""
