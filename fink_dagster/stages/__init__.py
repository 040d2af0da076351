"""The four stages: stream2raw, raw2science, distribution, archive.

Each is a pure function from DataFrame to DataFrame and a small class that says where a micro-batch is read and
written. Stream and backfill run the same function; ``redrive`` gives stream2raw what is in quarantine. Starting,
watching and stopping queries is ``streams``' affair.
"""
