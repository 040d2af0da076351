"""What others bring: science modules and filters in files of a folder, or in installed packages.

How they are found, loaded and carried to workers, whatever they are. What each kind must declare, and how it joins the
platform's own, belongs to ``science/`` and ``filters/``.
"""
