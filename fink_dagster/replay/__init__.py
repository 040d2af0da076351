"""Replaying alerts from an archive into the embedded survey Kafka, bytes unchanged.

What a source of packets is, which topic a packet goes to, and that each one arrives. Nothing here changes or judges a
packet: a damaged one is sent like any other, as archives hold such. Never the survey's own Kafka. No Dagster import.
"""
