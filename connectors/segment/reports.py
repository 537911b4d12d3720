"""Placeholder while the reports are written."""

from ..spec import ReportSpec

ALL: tuple[ReportSpec, ...] = ()
