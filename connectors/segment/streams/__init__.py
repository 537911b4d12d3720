"""What is read of a Segment workspace, and what of it is kept.

Facts from the Segment Public API reference (docs.segmentapis.com), API version 73.2.0. A field that does
not stand in a shape never reaches the disk; `redaction.py` says which fields are secret and why. Documented
fields that are of no use as evidence are dropped by name, so that only what is new counts as unknown.
"""

from . import activation, data_flow, functions, on_the_way, people, privacy, tracking, usage, warehousing, workspace

ALL = (
    workspace.WORKSPACE,
    workspace.LABELS_IN_USE,
    data_flow.SOURCES,
    data_flow.DESTINATIONS,
    data_flow.WAREHOUSES,
    data_flow.WAREHOUSE_SOURCES,
    tracking.TRACKING_PLANS,
    tracking.TRACKING_PLAN_RULES,
    tracking.TRACKING_PLAN_SOURCES,
    tracking.SOURCE_SETTINGS,
    on_the_way.DESTINATION_FILTERS,
    on_the_way.DESTINATION_SUBSCRIPTIONS,
    on_the_way.TRANSFORMATIONS,
    functions.FUNCTIONS,
    functions.FUNCTION_CODE,
    functions.INSERT_FUNCTION_INSTANCES,
    activation.REVERSE_ETL_MODELS,
    activation.SPACES,
    activation.AUDIENCES,
    activation.COMPUTED_TRAITS,
    people.USERS,
    people.USER_PERMISSIONS,
    people.GROUPS,
    people.GROUP_USERS,
    people.GROUP_INVITES,
    people.ROLES,
    people.INVITES,
    people.CREDENTIALS,
    privacy.REGULATIONS,
    privacy.SUPPRESSIONS,
    privacy.AUDIT_EVENTS,
    *usage.DAILY,
    *usage.DELIVERY,
    warehousing.WAREHOUSE_SYNC_SCHEDULES,
    warehousing.WAREHOUSE_SYNCS,
    warehousing.WAREHOUSE_SELECTIVE_SYNCS,
    warehousing.WAREHOUSE_CONNECTION_STATE,
    warehousing.PROFILES_WAREHOUSES,
)
