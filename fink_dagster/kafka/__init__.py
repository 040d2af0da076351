"""What we say to Kafka: how to reach a cluster, its topics, counting what is in them, transactions.

What a message means belongs to ``surveys`` and ``stages``, sending an archive to ``replay``, starting the embedded
broker to ``local``. No Dagster import.
"""
