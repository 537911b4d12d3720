"""Functions: programs of the customer that make, change or receive events; told by digest, never by text."""

from collections.abc import Iterator

from ...spec import Cell, Column, Json, Record, Row, State, Table
from . import fields
from .inventory import Inventory

CODE = "function_code"
KINDS = {
    "SOURCE": "Source",
    "DESTINATION": "Destination",
    "INSERT_SOURCE": "Insert, behind a source",
    "INSERT_DESTINATION": "Insert, before a destination",
    "INSERT_TRANSFORMATION": "Insert, transformation",
}
NOT_DEPLOYED = State("na", "Not deployed", "Segment names no time of a deployment.")
FUNCTION_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id"),
    Column("type", "Type", filter=True),
    Column("deployed", "Deployed", "time"),
    Column("latest", "Latest version deployed", filter=True),
    Column("sha256", "SHA-256 of the code", "id"),
    Column("bytes", "Bytes", "number"),
    Column("lines", "Lines", "number"),
    Column("settings", "Settings", "list"),
    Column("sensitive", "Sensitive settings", "list"),
    Column("created", "Created", "time"),
    Column("creator", "Created by", filter=True),
    Column("description", "Description"),
)
INSTANCE_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id"),
    Column("function", "Function", filter=True),
    Column("function_id", "Function id", "id"),
    Column("enabled", "Enabled", filter=True),
    Column("stands", "Stands at", filter=True),
    Column("end", "Source or destination"),
    Column("end_id", "Source or destination id", "id"),
    Column("settings", "Settings", "list"),
    Column("encrypted", "Encrypted settings", "list"),
    Column("created", "Created", "time"),
    Column("updated", "Updated", "time"),
)


def tables(inventory: Inventory) -> tuple[Table, ...]:
    return (
        inventory.table(
            "functions",
            "Functions",
            FUNCTION_COLUMNS,
            lambda: _functions(inventory),
            "functions",
            CODE,
        ),
        inventory.table(
            "instances",
            "Insert functions in use",
            INSTANCE_COLUMNS,
            lambda: _instances(inventory),
            "insert_function_instances",
        ),
    )


def _functions(inventory: Inventory) -> Iterator[Row]:
    codes = {_key(code): code for code in inventory.view.records(CODE)}
    for function in fields.in_order(inventory.view.records("functions"), "displayName"):
        yield _function(inventory, function, codes.get(_key(function)))


def _key(function: Record) -> tuple[str, str]:
    return fields.identity(function, "resourceType"), fields.identity(function)


def _function(inventory: Inventory, function: Record, code: Record | None) -> Row:
    kind = fields.text(fields.at(function, "resourceType"))
    return (
        fields.name_of(function, "displayName"),
        fields.identity(function),
        KINDS.get(kind, kind) if isinstance(kind, str) else kind,
        *_code(inventory, code),
        fields.text(fields.at(function, "createdAt")),
        inventory.person(fields.identity(function, "createdBy")),
        fields.text(fields.at(function, "description")),
    )


def _code(inventory: Inventory, code: Record | None) -> Row:
    if code is None:
        return (inventory.unknown(CODE) or fields.NOT_SAID,) * 7
    return (
        _time_or(fields.text(fields.at(code, "deployedAt"))),
        fields.flag(fields.at(code, "isLatestVersion")),
        *_program(fields.at(code, "code")),
        _settings(fields.at(code, "settings")),
        _settings(fields.at(code, "settings"), sensitive=True),
    )


def _time_or(said: Cell) -> Cell:
    return NOT_DEPLOYED if said is None else said


def _program(code: Json) -> Row:
    """Digest, bytes and lines."""
    return program(code), fields.number(fields.at(code, "bytes")), fields.number(fields.at(code, "lines"))


def program(code: Json) -> Cell:
    """The digest of a program."""
    said = fields.text(fields.at(code, "sha256"))
    return fields.NOT_SAID if said is None else said


def _settings(value: Json, *, sensitive: bool = False) -> Cell:
    if not isinstance(value, list):
        return None if value is None else fields.UNREADABLE_CELL
    held = (each for each in value if not sensitive or fields.at(each, "sensitive") is True)
    return tuple(sorted(fields.word(fields.at(each, "name"), fields.UNREADABLE_WORD) for each in held))


def _instances(inventory: Inventory) -> Iterator[Row]:
    names = {
        fields.identity(function): fields.name_of(function, "displayName")
        for function in inventory.view.records("functions")
    }
    for instance in fields.in_order(inventory.view.records("insert_function_instances")):
        function = fields.identity(instance, "functionId")
        end = fields.identity(instance, "integrationId")
        yield (
            fields.name_of(instance),
            fields.identity(instance),
            names.get(function, function) or None,
            function or None,
            fields.enabled(fields.at(instance, "enabled")),
            *_end(inventory, end),
            end or None,
            fields.words(fields.at(instance, "settings")),
            fields.words(fields.at(instance, "encryptedSettings")),
            fields.text(fields.at(instance, "createdAt")),
            fields.text(fields.at(instance, "updatedAt")),
        )


def _end(inventory: Inventory, id_: str) -> Row:
    if id_ in inventory.source_names:
        return ("Source", inventory.source(id_))
    if id_ in inventory.destination_names:
        return ("Destination", inventory.destination(id_))
    return (State("unknown", "Not seen", "No source and no destination of this id was read."), id_ or None)
