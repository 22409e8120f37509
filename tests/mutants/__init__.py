"""Small mistakes made in the example flows on purpose, and whether the examples' transcript tests see them.

`operators` says which mistakes there are, `fates` what becomes of each; `python -m tests.mutants` lists them all.
"""
