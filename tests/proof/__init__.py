"""The promises of the runtime under crash, fault, attack and load.

Each module here that has a `prove` is one proof: `python -m tests.proof NAME` plays it in full and prints its figures,
`test_NAME.py` beside it plays a short form of the same with the other tests.
"""
