"""What a user would pick instead of `wired.py`: single layers with the same ports, for comparison only.

They share no generator code with the layers they are compared to, so that a figure of theirs does not move
when the generator gets better.
"""
