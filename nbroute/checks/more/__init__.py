"""More checks by name: each file here is one, under the file's own name.

It has `TAKES`, what the check's value is in words; `fits`, which says whether a number will do;
and `check(reply, value)`, which returns a Verdict.
"""
