"""All rows of the table, in the order of the fault's numbers."""

from . import access, answers, house, lists, traffic
from .row import Row

ROWS: list[Row] = sorted(
    [*traffic.ROWS, *answers.ROWS, *lists.ROWS, *access.ROWS, *house.ROWS], key=lambda row: int(row.fault[1:])
)
