"""What an admin needs to know to connect a Segment workspace, and what may go wrong that is Segment's own.

Facts from Segment's documentation (segment.com/docs: Public API, Access Management, Roles) and its API reference.
The path of the EU link follows the US one, which alone is documented.
"""

from ..spec import Guide, Hint, LesserRole, Link, Step, TokenRole
from . import manuals

_TOKENS = "goto-my-workspace/settings/access-management/tokens"

LINKS = (
    Link("Tokens in Segment, United States", f"https://app.segment.com/{_TOKENS}", "us"),
    Link("Tokens in Segment, Europe", f"https://eu1.app.segment.com/{_TOKENS}", "eu"),
)

STEPS = (
    Step(
        "Sign in to Segment as a Workspace Owner",
        "Only a Workspace Owner can make a token, and the Public API is part of the plans Team and Business. A "
        "token opens one workspace: sign in to the one that the evidence is about, and check its name at the top.",
    ),
    Step(
        "Open the page of tokens",
        "Settings > Workspace settings > Access Management > Tokens. The links lead there for the workspace that "
        "you used last. If nothing opens, allow pop-ups for this page or go there by hand.",
        LINKS,
    ),
    Step(
        "Create a Public API token",
        "Press “+ Create Token”. Choose a Public API token, not one for the Config API. Write a description that "
        "tells others what it is for, such as “Compliance Portal, evidence, read only”.",
    ),
    Step(
        "Give it a role",
        "Segment asks for Workspace Owner or Workspace Member. An Owner token makes complete evidence; a Member "
        "token with read-only roles can do less harm if it gets lost. Read what each means before you choose.",
    ),
    Step(
        "Copy it at once",
        "Segment shows the token once. Copy it before you press Done and paste it on the next page here, and "
        "nowhere else: Segment revokes a token that it finds in a public repository.",
    ),
)

ROLES = (
    TokenRole(
        "owner",
        "Workspace Owner",
        "Sees all that the API can tell, so what is missing from a complete list is missing from the workspace. "
        "Segment has no read-only scope for its API: this token could also change everything. The portal only ever "
        "sends GET requests.",
        excess="Segment has no read-only scope for an Owner token: whoever gets hold of it could change everything in "
        "the workspace.",
    ),
    TokenRole(
        "member",
        "Workspace Member",
        "Sees what its roles allow, and Segment may leave out the rest without a word: what is missing from a list "
        "proves nothing. It is the least privilege on the Business plan, with Source Read-only, Tracking Plan "
        "Read-only and Warehouse Destination Read-only, and where these are used Function Read-only and Unify and "
        "Engage Read-only; other plans hardly offer these roles. Without a role it opens only the name of the "
        "workspace. Write keys stay hidden from it; people, groups, usage and the audit trail may stay hidden too.",
        doubt="Read with a Workspace Member token: Segment may leave out what the token's roles do not cover, without "
        "a word, so absence proves nothing here.",
    ),
)

# Which plan has which role, and what it allows: segment.com/docs/segment-app/iam/roles.
LESSER = (
    LesserRole(
        "Source Read-only",
        "Sources with their settings, destinations, mappings, filters and figures of delivery.",
        plan="Business",
    ),
    LesserRole("Tracking Plan Read-only", "Tracking plans and their rules.", plan="Business"),
    LesserRole("Warehouse Destination Read-only", "Warehouses and how they are synced.", plan="Business"),
    LesserRole("Function Read-only", "Functions, without their settings' values."),
    LesserRole("Unify and Engage Read-only", "Spaces, audiences and computed traits.", plan="Business"),
    LesserRole(
        "End User Privacy Admin",
        "Requests to delete or suppress end users.",
        changes="requests to delete and suppress end users",
        plan="Business",
    ),
    LesserRole(
        "Entities Admin",
        "Which credentials Segment holds for other services. Warehouse Admin, Source Admin or Unify and Engage Admin "
        "would do as well, and may change more.",
        changes="entity models",
        plan="Business",
    ),
)

REVOKE = (
    Step(
        "Delete the token in Segment",
        "A Workspace Owner deletes it under Settings > Workspace settings > Access Management > Tokens. It stops "
        "working at once. If it is not listed, Segment has revoked it already: it does so with a token that it finds "
        "in a public repository, and writes to the Workspace Owners.",
        LINKS,
    ),
    Step(
        "Find out what was done with it",
        "A Workspace Owner token could change everything in the workspace. Segment's audit trail (Settings > Admin > "
        "Audit Trail, on the Business plan) shows who did what in the last 90 days; the report “Activity” here shows "
        "what the portal has kept of it.",
    ),
    Step(
        "Remove it from where it was found",
        "Take it out of the repository, the chat or the ticket, and treat the write keys and settings that an Owner "
        "token could read as seen by others.",
    ),
    Step(
        "Make a new token and replace it here",
        "The connection stays paused until a new token has been proved on the same workspace.",
    ),
)

NEVER = (
    "Nothing is written to Segment: the portal sends GET requests only. Two reads that make Segment do something all "
    "the same are off until an administrator turns them on.",
    "The token is stored encrypted and never shown again; pages show its last four characters.",
    "Write keys are not kept: only how many the token was shown, and a keyed fingerprint of each.",
    "Values of settings of sources, destinations, warehouses and functions are not kept: only the names of the "
    "settings, and for a source how its tracking plan is enforced. Of credentials that Segment holds only the kind.",
    "Code of functions and queries of Reverse ETL models are not kept: only size and sha256, unless an administrator "
    "turns their text on. Literal values in mappings are left out; those in transformations, and the keys that hash "
    "properties, are kept as keyed fingerprints only.",
    "End users who asked for deletion or suppression are kept as keyed fingerprints only.",
    "Events, profiles, members of audiences and sample values are not read; figures of events and of audiences are.",
)

HINTS = (
    Hint(
        "nothing-opens",
        "The link to Segment opens nothing",
        "The browser, or a policy of your company, blocks new tabs from this page.",
        "Allow pop-ups for this page and press the link again. Or open Segment yourself and go to Settings > "
        "Workspace settings > Access Management > Tokens.",
        "admin",
    ),
    Hint(
        "token-rejected",
        "Segment rejects the token (401)",
        "It was not copied whole, it is of the Config API, it was deleted in Segment, it belongs to a region that "
        "is not offered here, or Segment revoked it by itself because it was found in a public repository.",
        "Look in Segment whether the token is still listed under Settings > Workspace settings > Access Management "
        "> Tokens. If it is, copy it again exactly, without blanks; Segment shows it only once, so make a new one "
        "if you no longer have it. If it is gone although nobody deleted it, it may have leaked: ask the "
        "Workspace Owners for Segment's notice before you make a new one.",
        "admin",
    ),
    Hint(
        "not-permitted",
        "Segment does not let the token read this (403)",
        "The token is a Workspace Member's without the role for this, or the feature is not part of the "
        "workspace's plan.",
        "In Segment, give the token the read-only role that the stream names, or make a Workspace Owner token and "
        "replace this one with it. If the feature is not part of your plan, nothing is lost: the report says that "
        "it was not seen.",
        "admin",
    ),
    Hint(
        "not-found",
        "Segment knows nothing at this address (404)",
        "The feature is not switched on in this workspace, or the token may not see it. Segment does not tell which.",
        "Look in Segment whether the workspace has the feature that the stream names (Protocols for tracking "
        "plans and transformations, the Business plan for user groups and the audit trail). If it has, the token "
        "needs the role; if not, there is nothing to do.",
        "admin",
    ),
    Hint(
        "missing-records",
        "Sources or destinations are missing",
        "The token is a Workspace Member's with limited roles. Segment may leave out what it may not see, without "
        "an error.",
        "Compare the counts with what a Workspace Owner sees in Segment. If they differ, make a Workspace Owner "
        "token, or give the token its roles on all sources, present and future; then replace the token here and "
        "read again.",
        "admin",
    ),
    Hint(
        "wrong-workspace",
        "The token opens another workspace",
        "A token belongs to one workspace. It was made while another one was open in Segment. Nothing was stored.",
        "In Segment, switch to the workspace named on this connection, make a token there, and replace the token "
        "here. To read the other workspace as well, make a second connection.",
        "admin",
    ),
    Hint(
        "rate-limited",
        "Segment asks us to slow down (429)",
        "Segment counts requests by token and by address. Another program may be using the same token.",
        "Wait: the portal waits as long as Segment says and tries again. If it comes back day after day, give "
        "every program a token of its own, or choose an hour with less traffic for the schedule.",
        "time",
    ),
    Hint(
        "workspace-missing",
        "Segment's answer does not name the workspace",
        "The address answered like the Public API, and yet without a workspace id: a proxy or another service may "
        "answer in its place.",
        "Check with your network team that nothing changes traffic to Segment's API. If nothing does, report it to "
        "the portal's developers with the time and this code.",
        "developer",
    ),
)

LIMITS = (
    "Segment counts requests by the address that they come from, by token, and by how much each asks for. It publishes "
    "no limit for the API as a whole; every answer says how much is left, and the portal goes by that.",
    "For some reads Segment documents a limit of their own; they stand below. All workers of this portal keep them "
    "together.",
    "When Segment asks to wait (429), the portal waits as long as Segment says. A token that no other program uses "
    "waits less.",
    "What may be asked only a few times a minute is read in the slow lane, by a run of its own after the main one, so "
    "that the rest does not wait for it.",
)

GUIDE = Guide(STEPS, ROLES, NEVER, HINTS, LIMITS, REVOKE, LESSER, manuals.ALL)
