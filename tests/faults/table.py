"""All rows of the table, in the order of the fault's numbers."""

from . import traffic
from .row import Row

ROWS: list[Row] = sorted([*traffic.ROWS], key=lambda row: int(row.fault[1:]))
