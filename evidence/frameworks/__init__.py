"""Frameworks and their controls: catalogues as data, what supports each control, and what is missing."""
