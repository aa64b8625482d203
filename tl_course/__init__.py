"""Transfer learning you can see: the package behind the lessons in ``notebooks/``."""

__version__ = "0.1.0"
