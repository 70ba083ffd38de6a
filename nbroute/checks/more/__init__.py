"""More checks by name: each file here is one, under the file's own name.

It has `check(reply)`, which returns what a check of one's own may. One with a number has
`check(reply, value)`, `TAKES`, what the value is in words, and `fits`, which says whether a
number will do.
"""
