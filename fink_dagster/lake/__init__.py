"""What we say to Iceberg, and nothing else: session settings, tables, idempotent appends, reading without Spark.

What every layer asks of two of the tables is here too: what counts as quarantined, what state a night is in. No stage,
no survey rule and no account belongs here.
"""
