"""Which fields of the Segment Public API are secret or personal, and what is done with each.

Read off the vendor's schemas (API version 73.2.0). The shapes in `streams/` do the work;
`tests/test_segment_redaction.py` walks this table and proves that no value of a field named here survives,
and that no field which the schemas of a stream hold is missing from it.
"""

from typing import Literal

Class = Literal["secret", "free-form", "confidential", "outsider", "personal"]

# (stream, field) -> class, with the field as the service spells it.
#   secret        opens something: at most a keyed fingerprint is kept, or the names of settings
#   free-form     may hold a secret: names, paths or a keyed fingerprint
#   confidential  the customer's own work: sha256 and size, or a keyed fingerprint; the text of programs and queries
#                 only where an administrator turned it on
#   outsider      people who are not of the workspace: keyed fingerprints, or how many
#   personal      people of the workspace, as they are: the evidence is about them. In blobs only, but for
#                 invitations, which have nothing else to be named by than the address
FIELDS: dict[tuple[str, str], Class] = {
    ("sources", "writeKeys"): "secret",
    ("sources", "settings"): "free-form",
    ("destinations", "settings"): "secret",
    ("destinations", "metadata.contacts"): "outsider",
    ("warehouses", "settings"): "secret",
    ("destination_subscriptions", "settings"): "free-form",
    ("transformations", "propertyValueTransformations.propertyValue"): "confidential",
    ("transformations", "hashPropertiesConfiguration.key"): "secret",
    ("function_code", "code"): "confidential",
    ("function_code", "previewWebhookUrl"): "secret",
    ("insert_function_instances", "settings"): "secret",
    ("insert_function_instances", "encryptedSettings"): "secret",
    ("reverse_etl_models", "query"): "confidential",
    ("users", "email"): "personal",
    ("users", "name"): "personal",
    ("group_invites", "email"): "personal",
    ("invites", "email"): "personal",
    ("credentials", "settings"): "secret",
    ("regulations", "subjects"): "outsider",
    ("suppressions", "subjectIds"): "outsider",
    ("audit_events", "actorEmail"): "personal",
    ("warehouse_syncs", "notices.message"): "free-form",
    ("profiles_warehouses", "settings"): "secret",
}
