"""The commands, one module each: arguments, progress and printing. What is done stands in the library.

``fink_dagster.cli`` puts them together.
"""
