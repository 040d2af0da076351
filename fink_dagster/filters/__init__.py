"""Filters: which alerts go to which user topic, one module per filter.

A filter is a name, the columns it looks at and a predicate. Evaluating them is done here in one pass; sending what
passes belongs to ``kafka/`` and the distribution stage.
"""
