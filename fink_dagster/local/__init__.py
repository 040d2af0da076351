"""The embedded platform: jars, sample packets, and the servers `up` starts on this machine.

Kafka, HBase and Dagster's three processes are fetched, configured, started, probed and stopped here. What is said to
them once they run belongs to ``kafka/``, ``hbase/`` and the resources. No Dagster import.
"""
