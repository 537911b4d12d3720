"""Which tables a backup keeps, in an order in which they can be filled, and each row as one line of JSON."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth.models import Group
from django.db import models

from connectors.models import Ciphertext, SecretTextField
from portal import canon

from . import TABLES, Refused

OURS = ("portal", "connectors", "evidence")
CHUNK = 200  # rows that are in memory at the same time

# What is not kept, and why; the manifest says it. All other tables of ours are kept, also those that are added later.
LEFT_OUT = {
    "portal.User_user_permissions": "rights come from roles alone",
    "portal.SignInSlowdown": "how often sign-ins failed lately is over in a quarter of an hour",
    "connectors.Heartbeat": "signs of life of workers",
    "connectors.RateWindow": "how often Segment was asked in the running minute",
    "connectors.StagedRecord": "what runs under way have read and not published; a restore ends these runs",
    "connectors.RunListing": "how far runs under way are; a restore ends these runs",
    "sessions": "everybody signs in anew",
    "django_q": "tasks that wait; the beat asks for what is due",
    "admin": "the portal's own audit log, which is kept, says who changed what",
    "contenttypes": "numbers of tables, made by the database",
    "auth": "roles and permissions are made from the code; who has which role is kept by its name",
}


# --- values ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """How values of one kind of column are written into JSON and read back; None is None."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _is(*types: type) -> Kind:
    """What JSON holds as it is. Reading refuses another type: a whole number is no text, and no truth value."""

    def read(value: Any) -> Any:
        if type(value) not in types:
            raise TypeError
        return value

    return Kind(lambda value: value, read)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii"), validate=True)


def _text(data: bytes | memoryview) -> str:
    return base64.b64encode(data).decode("ascii")


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError
    return at


_ANY = Kind(lambda value: value, lambda value: value)
_KINDS: tuple[tuple[type[Any], Kind], ...] = (
    (models.BinaryField, Kind(_text, _bytes)),
    (models.DateTimeField, Kind(datetime.isoformat, _aware)),  # before DateField, which it is one of
    (models.DateField, Kind(date.isoformat, date.fromisoformat)),
    (models.TimeField, Kind(time.isoformat, time.fromisoformat)),
    (models.UUIDField, Kind(str, UUID)),
    (models.DecimalField, Kind(str, Decimal)),
    (models.JSONField, _ANY),
    (models.BooleanField, _is(bool)),
    (models.IntegerField, _is(int)),
    (models.FloatField, _is(float, int)),
    (models.CharField, _is(str)),
    (models.TextField, _is(str)),
    (models.GenericIPAddressField, _is(str)),
)


def kind_of(field: "models.Field[Any, Any]") -> Kind:
    """Raises TypeError for a kind of column that no backup can hold yet; a test asks for every one."""
    if isinstance(field, models.ForeignKey):
        return _is(str) if field.related_model is Group else kind_of(field.target_field)
    if isinstance(field, SecretTextField):  # as it lies in the database: nothing is decrypted on the way
        return Kind(lambda value: _text(value.stored), lambda text: Ciphertext(_bytes(text), field))
    for known, kind in _KINDS:
        if isinstance(field, known):
            return kind
    raise TypeError(f"{field} is of a kind that a backup cannot hold.")


# --- tables ---------------------------------------------------------------------------------------------------


class Table:
    """One kept table. `name` is the model's; columns stand in the order in which the model declares them."""

    def __init__(self, model: type[models.Model]) -> None:
        self.model = model
        self.name = model._meta.label
        self.member = f"{TABLES}{self.name}.jsonl"
        self.fields: Sequence[Any] = model._meta.concrete_fields

    @cached_property
    def columns(self) -> list[str]:
        """A role is named by its name, since its number is another one in every database."""
        return [f"{each.name}__name" if each.related_model is Group else each.attname for each in self.fields]

    @cached_property
    def _kinds(self) -> list[Kind]:
        return [kind_of(field) for field in self.fields]

    @property
    def heading(self) -> bytes:
        return _line(self.columns)

    def lines(self, alias: str) -> Iterator[bytes]:
        """The columns, then every row in the order of its key; memory does not grow with the rows."""
        yield self.heading
        rows = self.model._base_manager.using(alias).order_by("pk").values_list(*self.columns)
        for row in rows.iterator(CHUNK):
            yield _line([None if v is None else kind.write(v) for v, kind in zip(row, self._kinds, strict=True)])

    def row(self, line: bytes, roles: dict[str, int]) -> models.Model:
        """The row that a line holds, not saved. `roles`: their numbers here. Raises Refused."""
        try:
            values = canon.parse(line)
            given = [None if v is None else kind.read(v) for v, kind in zip(values, self._kinds, strict=True)]
        except (ValueError, TypeError, ArithmeticError, AttributeError):
            raise Refused(f"A row of {self.name} cannot be read, so nothing was restored.") from None
        named = {field.attname: value for field, value in zip(self.fields, given, strict=True)}
        for field in self.fields:
            if field.related_model is Group:
                named[field.attname] = _role(str(named[field.attname]), roles)
        return self.model(**named)


def _line(values: list[Any]) -> bytes:
    # Not the canonical form: the order of a JSON column's keys is part of what is kept.
    return json.dumps(values, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _role(name: str, roles: dict[str, int]) -> int:
    if name not in roles:
        raise Refused(f"The backup names the role “{one_line(name)}”, which this portal does not have.")
    return roles[name]


def one_line(text: str) -> str:
    """Foreign text for a message: one line, not long."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text[:80])


def kept() -> list[Table]:
    """Every table that a backup holds; one that another refers to comes before it."""
    every = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in OURS and model._meta.label not in LEFT_OUT
    ]
    ordered: list[type[models.Model]] = []

    def put(model: type[models.Model]) -> None:
        """Puts what a table refers to before it."""
        for field in model._meta.concrete_fields:
            other = field.related_model
            if isinstance(other, type) and other in every and other is not model and other not in ordered:
                put(other)
        if model not in ordered:
            ordered.append(model)

    for model in every:
        put(model)
    return [Table(model) for model in ordered]
