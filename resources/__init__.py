"""What assets need while they run: the Spark session and the streams of a night. No domain logic belongs here."""
