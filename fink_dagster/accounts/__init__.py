"""The books and the life of a night: what went in, what came out, what was set aside, and whether it adds up.

Everything is counted from what is stored, never from counters of a run. Nothing is streamed or sent here.
"""
