"""The reports of a Segment workspace. Each is a pure view of one snapshot: the same snapshot, the same rows.

fields      one record, read without trusting it       routes, drawing  the data flow as rows and as a picture
inventory   names, links, and what was not read        between          what stands on a route
schema      what a rule allows                         alterations      what a filter or a mapping does, in words
rights      what a person may do                       enforcement      what a source does with the unforeseen
functions, delivery, selection  tables of the reports on the way, usage and warehouse syncs
"""

from ...spec import ReportSpec
from . import (
    activation,
    activity,
    data_flow,
    destinations,
    on_the_way,
    people,
    privacy,
    sources,
    tracking_plans,
    usage,
    warehouse_syncs,
)

ALL: tuple[ReportSpec, ...] = (
    data_flow.SPEC,
    sources.SPEC,
    destinations.SPEC,
    tracking_plans.SPEC,
    on_the_way.SPEC,
    warehouse_syncs.SPEC,
    activation.SPEC,
    people.SPEC,
    privacy.SPEC,
    activity.SPEC,
    usage.SPEC,
)
