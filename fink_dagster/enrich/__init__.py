"""Science modules on files: alerts from a tarball, Avro or Parquet, the added columns to Parquet. No Spark, no server.

What the platform does to a stream is in ``stages``; cuts, modules and their order are the same. How a command prints it
is not known here.
"""
