"""What the service's catalogue says of each kind of source, destination and warehouse.

Product names are facts; every sentence, option and address here is made up. `apiKey!` marks a required option,
`trackPages?` a boolean one, `domains[]` a list.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from .dice import Dice

Json = Any

SECRET = re.compile(r"key|secret|token|password|private|signature", re.IGNORECASE)
NUMBER = re.compile(r"bytes|seconds|size|hours|retries|interval|flush|window|max", re.IGNORECASE)
BULLETS = "•" * 10
PLAIN = {
    "region": "eu-west-1",
    "instanceUrl": "https://fernhill.crm.example.com",
    "endpoint": "https://rest.messaging.example.com",
    "websiteUrl": "https://www.example.com",
    "agentEmail": "service-desk@example.com",
    "subdomain": "fernhill",
    "senderNumber": "+15550100",
    "port": "5432",
    "host": "replica.db.example.com",
    "hostname": "warehouse.db.example.com",
    "database": "customers",
    "environment": "production",
}


@dataclass(frozen=True)
class Kind:
    """One entry of the catalogue. `actions` are the names of what an Actions destination can do."""

    slug: str
    name: str
    category: str
    options: str
    actions: str = ""
    cloud: bool = False
    regions: tuple[str, ...] = ("us-west-2", "eu-west-1")

    def settings(self, dice: Dice) -> dict[str, Json]:
        """A value for each option. Secrets are masked to their last four characters, or, as it happens, in clear."""
        return {name(option): _setting(self, option, dice) for option in self.options.split()}


SOURCES = {
    kind.slug: kind
    for kind in (
        Kind("javascript", "JavaScript", "Website", "websiteUrl! collectCampaign? domains[] consentCategory batchSize"),
        Kind("swift", "Swift (Apple)", "Mobile", "bundleId! trackLifecycle? collectDeviceId? flushInterval queueSize"),
        Kind("kotlin", "Kotlin (Android)", "Mobile", "packageName! trackLifecycle? collectDeviceId? flushInterval"),
        Kind("node", "Node.js", "Server", "environment flushAt flushInterval maxRetries disableGzip?"),
        Kind("python", "Python", "Server", "environment flushAt maxQueueSize syncMode? timeoutSeconds"),
        Kind("go", "Go", "Server", "environment batchSize interval verbose?"),
        Kind("http-api", "HTTP API", "Server", "environment allowedOrigins[] maxBodyBytes strictIds?"),
        Kind("zendesk", "Zendesk", "Helpdesk", "subdomain! apiToken! agentEmail! ticketEvents? syncHours", cloud=True),
        Kind("salesforce", "Salesforce", "CRM", "instanceUrl! refreshToken! objects[] sandbox? hours", cloud=True),
        Kind("stripe", "Stripe", "Payments", "accountId! restrictedKey! collections[] liveMode?", cloud=True),
        Kind("sendgrid", "SendGrid", "Email Marketing", "apiKey! webhookSignature events[] subusers[]", cloud=True),
        Kind("typeform", "Typeform", "Surveys", "formIds[] accessToken! hiddenFields? region", cloud=True),
        Kind("reverse-etl-postgres", "Postgres (Reverse ETL)", "Reverse ETL", "host! port! database! username! schema"),
    )
}

# fmt: off
DESTINATIONS = {
    kind.slug: kind
    for kind in (
        Kind("google-analytics-4", "Google Analytics 4", "Analytics", "measurementId! apiSecret! debug? domains[]",
             "Page view;Purchase"),
        Kind("amplitude", "Amplitude", "Analytics", "apiKey! secretKey! trackAllPages? groupTypes[]", "Log event"),
        Kind("mixpanel", "Mixpanel", "Analytics", "projectToken! apiSecret! sourceName people? trackPages?"),
        Kind("google-ads-conversions", "Google Ads Conversions", "Advertising",
             "customerId! conversionTrackingId! developerToken! enhanced?", "Upload conversion"),
        Kind("facebook-conversions-api", "Facebook Conversions API", "Advertising",
             "pixelId! accessToken! testEventCode dataProcessingOptions[]", "Purchase;Add to cart"),
        Kind("tiktok-conversions", "TikTok Conversions", "Advertising", "pixelCode! accessToken! limitedDataUse?"),
        Kind("pinterest-tag", "Pinterest Tag", "Advertising", "tagId! initWithEmail? mappedEvents[]",
             regions=("us-west-2",)),
        Kind("braze", "Braze", "Email Marketing", "appId! apiKey! endpoint! purchasesOnly? logCustomEvents?",
             "Update profile;Track event"),
        Kind("customer-io", "Customer.io", "Email Marketing", "siteId! apiKey! region! convertTimes?"),
        Kind("mailchimp", "Mailchimp", "Email Marketing", "audienceId! apiKey! doubleOptIn? mergeTags[]"),
        Kind("twilio-sms", "Twilio SMS", "SMS & Push Notifications", "accountSid! authToken! senderNumber! window"),
        Kind("airship", "Airship", "SMS & Push Notifications", "appKey! masterSecret! namedUser? tags[]"),
        Kind("zendesk", "Zendesk", "Helpdesk", "subdomain! apiToken! agentEmail! createUsers?"),
        Kind("intercom", "Intercom", "Livechat", "appId! accessToken! collectContext? selector"),
        Kind("salesforce", "Salesforce", "CRM", "instanceUrl! privateKey! username! leadsOnly?", "Upsert contact"),
        Kind("hotjar", "Hotjar", "Heatmaps & Recordings", "siteId! placeholderScript? snippetVersion"),
        Kind("optimizely", "Optimizely", "A/B Testing", "projectId! sdkKey! trackKnownUsers? variations?"),
        Kind("appsflyer", "AppsFlyer", "Attribution", "appId! devKey! trackAttribution? rokuAppId"),
        Kind("amazon-kinesis", "Amazon Kinesis", "Raw Data", "region! stream! secretId! roleAddress! useMessageId?"),
        Kind("amazon-s3", "Amazon S3", "Raw Data", "bucket! region! kmsKey roleAddress!"),
        Kind("webhooks", "Webhooks", "Raw Data", "endpoint! sharedSecret headers[] retries"),
        Kind("sentry", "Sentry", "Performance Monitoring", "dsnToken! ignoreErrors[] release logger"),
    )
}

# fmt: on
WAREHOUSES = {
    kind.slug: kind
    for kind in (
        Kind("bigquery", "BigQuery", "Warehouse", "project! location bucket credentialsSecret!"),
        Kind("snowflake", "Snowflake", "Warehouse", "account! database! warehouse! username! privateKey"),
        Kind("postgres", "Postgres", "Warehouse", "hostname! port! database! username! ciphertext?"),
    )
}


@cache
def source_metadata(kind: Kind) -> Json:
    """A `SourceMetadataV1`. Shared between records, as all metadata here: read it, never change it."""
    return {
        **_named(kind, "source"),
        "categories": [kind.category],
        "status": "PUBLIC",
        "isCloudEventSource": kind.cloud,
        "partnerOwned": False,
    }


@cache
def destination_metadata(kind: Kind) -> Json:
    """A `DestinationMetadataV1`."""
    dice = Dice("catalogue", kind.slug)
    actions = [_action(kind, title) for title in filter(None, kind.actions.split(";"))]
    return {
        **_named(kind, "destination"),
        "website": f"https://www.example.com/{kind.slug}",
        "status": "PUBLIC",
        "categories": [kind.category],
        "previousNames": [kind.name],
        "supportedFeatures": {
            "cloudModeInstances": "MULTIPLE",
            "deviceModeInstances": dice.pick(["NONE", "SINGLE"]),
            "replay": dice.chance(50),
            "browserUnbundling": dice.chance(50),
            "browserUnbundlingPublic": True,
        },
        "supportedMethods": {call: dice.chance(80) for call in ("pageview", "identify", "alias", "track", "group")},
        "supportedPlatforms": {place: dice.chance(70) for place in ("browser", "server", "mobile", "warehouse")},
        "components": [{"type": "SERVER", "code": f"components/{kind.slug}/server", "owner": "SEGMENT"}],
        "actions": actions,
        "presets": [
            {"actionId": action["id"], "name": action["name"], "trigger": 'type = "track"', "fields": {}}
            for action in actions
        ],
        "contacts": [{"name": "Partner desk", "email": f"{kind.slug}@partners.example.com", "role": "Support"}],
        "partnerOwned": dice.chance(40),
        "supportedRegions": list(kind.regions),
        "regionEndpoints": ["US", "EU"][: len(kind.regions)],
    }


@cache
def warehouse_metadata(kind: Kind) -> Json:
    """A `WarehouseMetadataV1`."""
    return _named(kind, "warehouse")


def name(option: str) -> str:
    """The option without its marks."""
    return option.strip("!?[]")


def word(name: str) -> str:
    """`trackAllPages` -> `track all pages`."""
    return re.sub(r"([A-Z])", r" \1", name).lower()


def _named(kind: Kind, what: str) -> dict[str, Json]:
    logo = f"https://cdn.example.com/logos/{kind.slug}"
    return {
        "id": Dice("catalogue", what, kind.slug).hex(24) if what != "source" else Dice("catalogue", kind.slug).text(10),
        "slug": kind.slug,
        "name": kind.name,
        "description": f"{kind.name} is a {what} of the category {kind.category}. It was set up once and can be "
        f"switched off at any time; what it receives depends on the sources and filters in front of it.",
        "logos": {"default": f"{logo}-default.svg", "mark": f"{logo}-mark.svg", "alt": None},
        "options": [_option(kind, option) for option in kind.options.split()],
    }


def _setting(kind: Kind, option: str, dice: Dice) -> Json:
    plain = name(option)
    if SECRET.search(plain):
        clear = dice.text(32)
        return BULLETS + clear[-4:] if dice.chance(60) else clear
    if option.endswith("?"):
        return dice.chance(50)
    if option.endswith("[]"):
        return [f"{word(plain).split()[-1]}-{number}" for number in range(dice.below(3))]
    if NUMBER.search(plain):
        return str(5 * (1 + dice.below(20)))
    return PLAIN.get(plain) or f"{kind.slug}-{dice.hex(6)}"


def _option(kind: Kind, option: str) -> Json:
    form = "boolean" if option.endswith("?") else "array" if option.endswith("[]") else "string"
    label = word(name(option)).capitalize()
    return {
        "name": name(option),
        "type": form,
        "defaultValue": {"boolean": False, "array": []}.get(form, ""),
        "description": f"{label} that {kind.name} expects. See the set-up page of this connection before changing it.",
        "label": label,
        "required": option.endswith("!"),
    }


def _action(kind: Kind, title: str) -> Json:
    ident = Dice("action", kind.slug, title).text(22)
    slug = title.replace(" ", "-").lower()
    return {
        "id": ident,
        "slug": slug,
        "name": title,
        "description": f"{title} in {kind.name}.",
        "platform": "CLOUD",
        "hidden": False,
        "defaultTrigger": None if slug.startswith("p") else 'type = "track"',
        "fields": [_field(ident, at, field) for at, field in enumerate(("userId", "email"))],
    }


def _field(action: str, at: int, key: str) -> Json:
    return {
        "id": Dice("field", action, key).text(22),
        "sortOrder": at,
        "fieldKey": key,
        "label": word(key).capitalize(),
        "type": "STRING",
        "description": f"The {word(key)} that is sent.",
        "required": at == 0,
        "multiple": False,
        "dynamic": False,
        "allowNull": at > 0,
        "defaultValue": {"@path": f"$.{key}"},
    }
