"""What the data must satisfy, as asset checks.

Suites of Great Expectations and the report site are not here yet.
"""
