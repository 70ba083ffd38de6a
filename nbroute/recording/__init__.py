"""Requests and their answers in a text file that reads well in a diff, and replays of it.

`documents` is the file's format, `scrub` removes keys from what is written, `recorder` writes
the file and `replay` answers from it.
"""
