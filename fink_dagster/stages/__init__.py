"""The four stages: stream2raw, raw2science, distribution, archive.

Each is a pure function from DataFrame to DataFrame and a small class that says where a micro-batch is read and
written. Stream and backfill run the same function. Starting, watching and stopping queries is ``streams``' affair.
"""
