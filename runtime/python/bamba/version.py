"""The version of this package, which is that of the checkout it lies in."""

__version__ = "0.1.0"
