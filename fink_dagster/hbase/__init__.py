"""What we say to HBase: tables, cells, and how rows get there through a Thrift server.

The only folder that imports ``happybase``. What is stored when belongs to the archive stage; starting the embedded
server belongs to ``local``. Everything here can be written again from the lake. No Dagster import.
"""
