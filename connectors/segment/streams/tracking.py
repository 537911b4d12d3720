"""Tracking plans: what may be collected, who must follow it, and what happens to what does not."""

from ...spec import DROP, KEEP, WHOLE, Given, Group, Json, Shape, Stream, Way, one_of
from .common import BUSINESS, DOCS, READS_PLANS, READS_SOURCES, beside, linked

TRACKING = Group(
    "tracking-plans",
    "Tracking plans",
    "What may be collected: plans, rules, and who must follow them.",
    why="It shows what may be collected at all, and what happens to events that break the rules.",
)
PLAN_READER = "Protocols; role Tracking Plan Read-only"

OF_TRAITS: Shape = {
    "allowUnplannedTraits": KEEP,
    "allowTraitsOnViolations": KEEP,
    "commonEventOnViolations": one_of("ALLOW", "BLOCK", "OMIT_TRAITS"),
}


def _plan_of_source(given: Given, item: Json) -> Json:
    plan = item.get("trackingPlanId") if isinstance(item, dict) else None
    return {"trackingPlanId": plan, "sourceId": given["id"]} if plan else None


TRACKING_PLANS = Stream(
    name="tracking_plans",
    title="Tracking plans",
    group=TRACKING,
    about="What may be collected, by plan.",
    ways=(Way(path="/tracking-plans", items="trackingPlans"),),
    key=("id",),
    shape={
        "id": KEEP,
        "slug": KEEP,
        "name": KEEP,
        "description": KEEP,
        "type": one_of("ENGAGE", "LIVE", "PROPERTY_LIBRARY", "RULE_LIBRARY", "TEMPLATE"),
        "createdAt": KEEP,
        "updatedAt": KEEP,
        "resourceSchemaId": DROP,  # in an example of the documentation, in no schema
    },
    gate=PLAN_READER,
    plan=BUSINESS,
    roles=(READS_PLANS,),
    feature="Protocols",
    source=DOCS + "Tracking-Plans",
)
TRACKING_PLAN_RULES = Stream(
    name="tracking_plan_rules",
    title="Tracking plan rules",
    group=TRACKING,
    about="Every event and property that a plan allows, as JSON Schema.",
    ways=(
        Way(
            path="/tracking-plans/{id}/rules",
            items="rules",
            parent="tracking_plans",
            record=beside(trackingPlanId="id"),
        ),
    ),
    key=("trackingPlanId", "type", "key", "version"),
    shape={
        "trackingPlanId": KEEP,
        "type": one_of("COMMON", "GROUP", "IDENTIFY", "PAGE", "SCREEN", "TRACK"),
        "key": KEEP,
        "version": KEEP,
        "jsonSchema": WHOLE,
        "createdAt": KEEP,
        "updatedAt": KEEP,
        "deprecatedAt": KEEP,
    },
    per_minute=200,
    gate=PLAN_READER,
    plan=BUSINESS,
    roles=(READS_PLANS,),
    feature="Protocols",
    source=DOCS + "Tracking-Plans",
)
TRACKING_PLAN_SOURCES = Stream(
    name="tracking_plan_sources",
    title="Tracking plan connections",
    group=TRACKING,
    about="Which source must follow which plan. Asked from the side that needs fewer requests.",
    ways=(
        Way(
            path="/tracking-plans/{id}/sources",
            items="sources",
            parent="tracking_plans",
            record=linked("trackingPlanId", "sourceId"),
        ),
        Way(path="/sources/{id}", items="", parent="sources", paged=False, within=False, record=_plan_of_source),
    ),
    key=("trackingPlanId", "sourceId"),
    shape={"trackingPlanId": KEEP, "sourceId": KEEP},
    gate="Protocols; roles Source Read-only and Tracking Plan Read-only",
    plan=BUSINESS,
    roles=(READS_SOURCES, READS_PLANS),
    feature="Protocols",
    source=DOCS + "Tracking-Plans",
)
SOURCE_SETTINGS = Stream(
    name="source_settings",
    title="Enforcement of tracking plans",
    group=TRACKING,
    about="What happens to events that break the plan. Asked for sources that have one; the others answer defaults.",
    ways=(
        Way(
            path="/sources/{sourceId}/settings",
            parent="tracking_plan_sources",
            paged=False,
            record=beside(trackingPlanId="trackingPlanId", sourceId="sourceId"),
        ),
    ),
    key=("trackingPlanId", "sourceId"),
    shape={
        "trackingPlanId": KEEP,
        "sourceId": KEEP,
        "settings": {
            "track": {
                "allowUnplannedEvents": KEEP,
                "allowUnplannedEventProperties": KEEP,
                "allowEventOnViolations": KEEP,
                "allowPropertiesOnViolations": KEEP,
                "commonEventOnViolations": one_of("ALLOW", "BLOCK", "OMIT_PROPERTIES"),
            },
            "identify": OF_TRAITS,
            "group": OF_TRAITS,
            "forwardingViolationsTo": KEEP,
            "forwardingBlockedEventsTo": KEEP,
        },
    },
    gate="Protocols; role Source Read-only",
    roles=(READS_SOURCES,),
    source=DOCS + "Sources",
)
