"""Catalogues of the sky on this machine: what they are, how their files are read, and the nearest source.

No Spark here, and no network but in ``fetch``. Which columns a match gives an alert is said in ``science.crossmatch``.
"""
