"""Stages running as Structured Streaming queries: checkpoints, the lease of a night, restarts, and when it is drained.

No Dagster: ``resources/streams.py`` puts this behind the assets. What a stage does with a batch is not known here.
"""
