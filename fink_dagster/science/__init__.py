"""Added values: one module per value, plain functions of arrays.

What a science module is, which ones exist, and how they are run over a table of alerts. No Spark, no network and no
survey here: a module names the dotted paths it needs, and the stage brings them.
"""
