"""The reports of a Segment workspace. Each is a pure view of one snapshot: the same snapshot, the same rows.

fields      one record, read without trusting it       routes, drawing  the data flow as rows and as a picture
inventory   names, links, and what was not read        schema, rights   what a rule allows, what a person may do
"""

from ...spec import ReportSpec
from . import data_flow, destinations, people, sources, tracking_plans

ALL: tuple[ReportSpec, ...] = (data_flow.SPEC, sources.SPEC, destinations.SPEC, tracking_plans.SPEC, people.SPEC)
