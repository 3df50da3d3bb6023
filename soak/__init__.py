"""The soak: three streams of one robot, a server that numbers what it sends, and random faults.

``python -m soak`` lets a real subscription run through them and asks in the end where each number
went; ``--client NAME`` puts one of the things that people write themselves in its place.
"""
