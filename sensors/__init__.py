"""When things happen: keeper, rollover, closing, compaction, alarms. They read state and request runs.

No Spark, Kafka or HBase work belongs here. None is defined yet; a night is started by hand or by command.
"""
