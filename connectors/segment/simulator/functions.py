"""Functions that the company has written: what is in them, and where inserted ones run."""

from typing import Any

from .dice import Dice
from .drift import stamp
from .world import FIXED_DAY, FUNCTIONS, World

Json = Any

NAMES = FUNCTIONS
CODE = """\
// {name}, revision {revision}
const ENDPOINT = "https://functions.example.com/{slug}";
const TOKEN = "{secret}"; // should be a setting

async function onTrack(event, settings) {{
  const answer = await fetch(ENDPOINT, {{
    method: "POST",
    headers: {{ authorization: `Bearer ${{TOKEN}}`, region: settings.region }},
    body: JSON.stringify({{ event: event.event, total: event.properties.total }}),
  }});
  if (answer.status >= 500) {{
    throw new RetryError(`{name}: ${{answer.status}}`);
  }}
}}
"""
SETTINGS = (
    ("apiToken", "API token", "What the other side gave us.", "STRING", True, True),
    ("region", "Region", "Where the other side runs.", "STRING", False, False),
    ("headers", "Headers", "Sent with each call.", "TEXT_MAP", False, False),
    ("dryRun", "Dry run", "Whether to send nothing.", "BOOLEAN", False, False),
)
EVERY_DAYS = 16  # how often somebody changes a function


def code_secret(world: World, function: int) -> str:
    """The secret that somebody wrote into the code."""
    return Dice(world.seed, "secret in code", function).text(40)


def webhook(world: World, function: int) -> str:
    """The address that takes data in for a preview: whoever knows it can send."""
    return f"https://fn.example.com/preview/{Dice(world.seed, 'preview', function).text(32)}"


def detail(world: World, function: int) -> Json:
    """`function` in full: its code too, and its settings without values."""
    listed = world.functions[function]
    revision = max(0, world.day + 3 * function) // EVERY_DAYS
    changed = revision * EVERY_DAYS - 3 * function if revision else FIXED_DAY + function
    never = function == 1  # one was written and never deployed
    fields = ("name", "label", "description", "type", "required", "sensitive")
    code = CODE.format(
        name=listed["displayName"],
        slug=f"function-{function}",
        secret=code_secret(world, function),
        revision=revision + 1,
    )
    return {
        "function": {
            **listed,
            "code": code,
            "settings": [dict(zip(fields, setting, strict=True)) for setting in SETTINGS[: 2 + function % 3]],
            "deployedAt": None if never else stamp(changed, world.seed, "deployed", function),
            "isLatestVersion": not never,
            "previewWebhookUrl": webhook(world, function),
            "batchMaxCount": 0,
        }
    }


def instances(world: World, function: int) -> list[Json]:
    """Where an insert function runs. Any other function runs nowhere else: an empty list, which is chosen here."""
    listed = world.functions[function]
    if not listed["resourceType"].startswith("INSERT_"):
        return []
    hosts = world.sources if listed["resourceType"] == "INSERT_SOURCE" else world.destinations
    return [_instance(world, listed, hosts[(5 * function + 3 * at) % len(hosts)], at) for at in range(2)]


def _instance(world: World, function: Json, host: Json, at: int) -> Json:
    dice = Dice(world.seed, "instance", function["id"], at)
    return {
        "id": dice.hex(24),
        "name": f"{function['displayName']} {at + 1}",
        "integrationId": host["id"],
        "classId": function["id"],
        "enabled": at == 0,
        "createdAt": stamp(FIXED_DAY + 10, world.seed, "instance", at),
        "updatedAt": stamp(FIXED_DAY + 20, world.seed, "instance", at),
        "settings": {"apiToken": dice.text(36), "region": "eu-west-1"},
        "encryptedSettings": {"signingKey": dice.text(36)},
    }


def secrets(world: World) -> frozenset[str]:
    """All that must not be kept of the functions; of an address its last part too."""
    found: set[str] = set()
    for function in range(len(world.functions)):
        address = webhook(world, function)
        found |= {code_secret(world, function), address, address.rpartition("/")[2]}
        for instance in instances(world, function):
            found |= {instance["settings"]["apiToken"], instance["encryptedSettings"]["signingKey"]}
    return frozenset(found)
