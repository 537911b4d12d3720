"""Evidence on Segment that its Public API does not give: where to click, and what must be visible.

That these settings are not in the API: docs.segmentapis.com, API version 73.2.0, has no path for them. Where they
stand in Segment: segment.com/docs (Workspace settings, Privacy Portal, Consent Management, Access Management).
"""

from ..spec import Manual

_WHOLE_WINDOW = "The whole window with the workspace's name, the address bar, and the date and time of the computer"

SIGN_ON = Manual(
    slug="sso-and-mfa",
    title="Single sign-on is enforced and multi-factor authentication required",
    about="How people must sign in to Segment is set in its pages alone; no reading shows it.",
    steps=(
        "Sign in to Segment as a Workspace Owner and check the workspace's name at the top.",
        "Open Settings > Workspace settings > Authentication > Connections; take a picture of the identity provider.",
        "Open Authentication > Advanced Settings; take a picture of “Require SSO” and of the switch for multi-factor "
        "authentication.",
        "Where people may sign in without single sign-on, list who and why in the notes.",
    ),
    visible=(
        _WHOLE_WINDOW,
        "Which identity provider is connected, and that it is active",
        "That single sign-on is required, or who is excepted",
        "That multi-factor authentication is required for those who sign in without it",
    ),
    valid_days=90,
    recurs="quarter",
    supports=("soc2 CC6.1", "iso27001 A.8.5", "iso27001 A.5.17", "gdpr 32"),
)

CONSENT = Manual(
    slug="consent-categories",
    title="Consent categories are mapped to all destinations",
    about="A destination that is mapped to no category gets everything, whatever a person chose. The API does not list "
    "the mapping.",
    steps=(
        "Open Privacy > Consent Management and take a picture of the categories.",
        "Open each category, and take a picture of the destinations that are mapped to it.",
        "Compare with the portal's report on destinations of the same day; list each enabled destination without a "
        "category, and why it needs none.",
    ),
    visible=(
        _WHOLE_WINDOW,
        "Every consent category with its destinations",
        "That no enabled destination is missing, or the list of those without one with their reasons",
    ),
    valid_days=90,
    recurs="quarter",
    supports=("soc2 P2.1", "soc2 P3.2", "iso27001 A.5.34", "gdpr 7", "ccpa 1798.135"),
)

INVENTORY = Manual(
    slug="privacy-inventory",
    title="Fields of the Privacy Portal are classified, and red ones blocked",
    about="Segment's own inventory of personal fields, and what is blocked by it, are shown in its pages alone.",
    steps=(
        "Open Privacy > Detection > Inbox, and take a picture: nothing in it may wait for a classification.",
        "Open Privacy > Inventory, filter for red and yellow fields, and take pictures of all pages.",
        "Open Privacy > Settings > Blocking, and take a picture of what is blocked, source by source.",
    ),
    visible=(
        _WHOLE_WINDOW,
        "An empty inbox, or what waits in it and since when",
        "The class of every red and yellow field",
        "For every source that red fields are blocked, or the reason why not",
    ),
    valid_days=90,
    recurs="quarter",
    supports=("soc2 C1.1", "soc2 P3.1", "iso27001 A.5.12", "iso27001 A.8.12", "gdpr 25"),
)

TOKENS = Manual(
    slug="token-list",
    title="Access tokens are known, owned and reviewed; audit forwarding is on",
    about="The API does not list the tokens that open the workspace, nor where the audit trail is forwarded to.",
    steps=(
        "Open Settings > Workspace settings > Access Management > Tokens, and take pictures of the whole list. Make "
        "sure that no token itself is in the picture.",
        "Write into the notes, for each token: who owns it, what it is for, when that was last reviewed.",
        "Revoke those that nobody owns, and take another picture.",
        "Open Audit Trail > Audit Forwarding, and take a picture of where it goes and that it is on.",
    ),
    visible=(
        _WHOLE_WINDOW,
        "Every token with its description, who made it and when",
        "An owner and a purpose for each of them",
        "That audit forwarding is on",
    ),
    valid_days=90,
    recurs="quarter",
    supports=("soc2 CC6.1", "soc2 CC6.3", "iso27001 A.5.17", "iso27001 A.8.2", "iso27001 A.8.15"),
)

RETENTION = Manual(
    slug="data-retention",
    title="Segment keeps data no longer than the policy says",
    about="For how long Segment archives events is set in its pages alone.",
    steps=(
        "Open Privacy > Settings > Data Retention, and take a picture of the default and of every exception.",
        "Write into the notes what the policy says, and compare.",
    ),
    visible=(
        _WHOLE_WINDOW,
        "The period for which the workspace keeps data",
        "Every source with a period of its own",
        "The policy's period beside it",
    ),
    valid_days=90,
    recurs="quarter",
    supports=("soc2 P4.2", "iso27001 A.8.10", "gdpr 5", "ccpa 1798.100"),
)

ACCESS_REVIEW = Manual(
    slug="access-review",
    title="Access to the workspace is reviewed",
    about="Who can do what is read by the portal; that somebody looked at it, and what they decided, is not.",
    steps=(
        "Open the portal's report on people and access, and keep it as evidence.",
        "Go through it with somebody who knows the teams and is not among those reviewed. Decide for each person and "
        "group: keep, change or remove.",
        "Write the decisions into a file with the reviewer's name and the date, and upload it.",
        "Remove in Segment what was decided, sync, and capture the report again: what was removed must be gone.",
    ),
    visible=(
        "Every person and group of the report of that day, with a decision",
        "Who decided, and when",
        "The later report, in which what was removed is gone",
    ),
    valid_days=120,
    recurs="quarter",
    supports=("soc2 CC6.2", "soc2 CC6.3", "soc2 CC4.1", "iso27001 A.5.18"),
    report="people",
)

ALL = (ACCESS_REVIEW, SIGN_ON, CONSENT, INVENTORY, TOKENS, RETENTION)
