"""Requests and their answers in a text file that reads well in a diff, and answers from it.

`documents` is the file's format, `scrub` takes keys out of what is written, `recorder` writes
and `replay` answers.
"""
