"""What we say to Iceberg, and nothing else: session settings, tables, idempotent appends, reading without Spark.

No stage, no survey rule and no bookkeeping belongs here.
"""
