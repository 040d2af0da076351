"""What Dagster calls the data: the four stages of a night, and the topics and tables outside that they touch.

Partitions, lineage, owners, metadata. No Spark, Kafka or HBase call belongs here: see ``fink_dagster``.
"""
