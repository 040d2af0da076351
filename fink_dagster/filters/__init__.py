"""Filters: which alerts go to which user topic; one module per filter, or per rule that several share.

A filter is a name, the columns it looks at and a predicate. What filters there are, others' included, and evaluating
them in one pass belongs here; running them inside Spark and sending what passes belongs to ``stages/`` and ``kafka/``.
"""
