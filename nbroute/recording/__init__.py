"""Requests and their answers in a text file that reads well in a diff, and answers from it.

- `scrub`      keys, out of whatever is written
- `documents`  JSON documents in a file, one after another
- `header`     the ladder that was recorded
- `entries`    a request and its answer, a text and its vector
- `writing`    the recorder
- `reading`    the recording that is replayed, and the words of a miss
- `standins`   providers and embedders that send nothing, and an embedder that is recorded
"""
