"""Which fields of the Segment Public API are secret or personal, and what is done with each.

Read off the vendor's schemas (API version 73.2.0). The shapes in `streams.py` do the work; a test walks
this table and proves that no value of a field named here survives in the way it says.
"""

from typing import Literal

Class = Literal["secret", "free-form", "confidential", "personal"]

# (stream, field) -> class. "secret" and "free-form" values never reach the disk; "personal" ones do, in
# blobs only, because the evidence is about people.
FIELDS: dict[tuple[str, str], Class] = {
    ("sources", "writeKeys"): "secret",
    ("sources", "settings"): "free-form",
    ("destinations", "settings"): "secret",
    ("destinations", "metadata.contacts"): "personal",
    ("warehouses", "settings"): "secret",
    ("users", "email"): "personal",
    ("users", "name"): "personal",
    ("invites", "email"): "personal",
}
