"""Finds the connectors: every folder beside this module that exposes one frozen `connector`."""

import importlib
import pkgutil
from functools import cache

from django.conf import settings

import connectors

from .spec import Connector, NotDeclared, Region

_NOT_CONNECTORS = frozenset(
    {"connections", "diagnosis", "http", "locker", "migrations", "management", "models", "reading", "spec", "wizard"}
)


@cache
def all_connectors() -> dict[str, Connector]:
    """Connectors by slug, in alphabetical order."""
    found = {}
    for module in pkgutil.iter_modules(connectors.__path__):
        if not module.ispkg or module.name in _NOT_CONNECTORS:
            continue
        connector = importlib.import_module(f"connectors.{module.name}").connector
        if not isinstance(connector, Connector) or connector.slug != module.name:
            raise NotDeclared(f"connectors/{module.name} must expose a Connector called “{module.name}”")
        found[connector.slug] = connector
    return found


def get(slug: str) -> Connector:
    """The connector called `slug`; KeyError when there is none."""
    return all_connectors()[slug]


def regions(connector: Connector) -> dict[str, Region]:
    """Its own regions, then those that the operator's environment adds; a page can never add one."""
    extra = settings.REGIONS.get(connector.slug, {})
    added = (Region(name, f"{name} ({origin})", origin) for name, origin in extra.items())
    return {region.name: region for region in (*connector.regions, *added)}
