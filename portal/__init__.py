"""The floor that everything stands on, and the roof that brings the rooms together."""

__version__ = "0.1.0"
