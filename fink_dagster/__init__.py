"""The Fink alert broker as a library.

Surveys, stages, science, filters, the lake, Kafka, HBase and the books of a night. Nothing here imports Dagster except
``definitions.py``, so everything can be used from a notebook. What Dagster calls assets, sensors, resources and checks
stands beside this package, in folders of those names.
"""

__version__ = "0.1.0"
