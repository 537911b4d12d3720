"""Everything in a workspace that a portal must never keep."""

from . import catalog, extras, functions, warehousing
from .world import World


def secrets(world: World) -> frozenset[str]:
    """Every such string: keys, secret settings, ids of end users, what functions and complaints give away."""
    found = {key for source in world.sources for key in source["writeKeys"]}
    for record in (*world.sources, *world.destinations, *world.warehouses):
        hidden = (value for name, value in record["settings"].items() if catalog.SECRET.search(name))
        found.update(value for value in hidden if isinstance(value, str) and value != catalog.BULLETS)
    found.update(credential["settings"]["passphrase"] for credential in extras.credentials(world))
    hashes = (entry.get("hashPropertiesConfiguration") for entry in extras.transformations(world))
    found.update(entry["key"] for entry in hashes if entry)
    found.update(subject for entry in extras.regulations(world) for subject in entry["subjects"])
    found.update(subject for entry in extras.suppressions(world) for subject in entry["subjectIds"])
    found.update(warehousing.password(world, warehouse) for warehouse in range(world.size.warehouses))
    return functions.secrets(world) | found
