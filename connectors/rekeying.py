"""The keys that stored secrets need, and how they come under a new one. The only writer of a secret's encrypted form.

What a secret says is never changed here: each row is encrypted anew in one statement that finds it as it was read,
so a token that somebody replaces meanwhile is not lost. Every model with a `SecretTextField` is found by itself.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import BinaryField, ExpressionWrapper, F, Value

from portal import audit
from portal.canon import fingerprint

from .models import Heartbeat, SecretTextField, Token

ALIVE = timedelta(seconds=60)  # a worker that was heard later than this is gone
TRIES = 20


def head_print() -> str:
    """Names the key that this process encrypts with, and gives nothing of it away."""
    return fingerprint("fernet", settings.FERNET_KEYS[0])


def others_at_work(now: datetime) -> list[str]:
    """Workers that are alive and encrypt with another key than this process: they have not been restarted yet."""
    alive = Heartbeat.objects.filter(at__gt=now - ALIVE).exclude(seals_with=head_print())
    return list(alive.order_by("worker").values_list("worker", flat=True))


class Keys:
    """FERNET_KEYS as the field uses them, the head first."""

    def __init__(self) -> None:
        self._each = [Fernet(key) for key in SecretTextField().fernet_keys]

    def opener(self, stored: bytes) -> int | None:
        """Which key opens it: 0 for the head; None when none does."""
        for number, key in enumerate(self._each):
            try:
                key.decrypt(stored)
            except InvalidToken:
                continue
            return number
        return None

    def anew(self, stored: bytes, number: int | None) -> bytes:
        """The same secret, encrypted by the head; the empty one for None."""
        return self._each[0].encrypt(b"" if number is None else self._each[number].decrypt(stored))


# --- where secrets are -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A column of encrypted texts."""

    model: type[models.Model]
    column: str

    def rows(self) -> Any:
        """Its rows with the stored bytes as `raw`: nothing is decrypted on the way."""
        raw = ExpressionWrapper(F(self.column), output_field=BinaryField())
        return self.model._base_manager.annotate(raw=raw).exclude(raw=None)

    def stored(self) -> Iterator[tuple[Any, bytes]]:
        """(key of the row, stored bytes), in order."""
        for pk, raw in self.rows().order_by("pk").values_list("pk", "raw").iterator():
            yield pk, bytes(raw)

    def read(self, pk: Any) -> bytes | None:
        """As it is stored now; None when the row is gone."""
        raw = self.rows().filter(pk=pk).values_list("raw", flat=True).first()
        return None if raw is None else bytes(raw)

    def swap(self, pk: Any, before: bytes, after: bytes) -> bool:
        """Writes if nobody has written since it was read."""
        found = self.rows().filter(pk=pk, raw=before)
        return bool(found.update(**{self.column: Value(after, output_field=BinaryField())}))

    def name(self, pk: Any) -> str:
        """Which row that is, for a person; never what it holds."""
        row = self.model._base_manager.filter(pk=pk).first()
        return f"{self.model._meta.verbose_name} {pk} ({audit.clean(str(row))})"

    def holds_nothing(self, pk: Any) -> bool:
        """Whether its token was wiped, or never given: an empty text is encrypted like any other."""
        return issubclass(self.model, Token) and self.model._base_manager.filter(pk=pk, token_fingerprint="").exists()


def places() -> list[Place]:
    return [
        Place(model, field.attname)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, SecretTextField)
    ]


# --- what is done ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proof:
    """Which key opens each stored secret, as they were read just now.

    opened      how many each of FERNET_KEYS opens that none before it does, the head's first
    older       names of rows that need another key than the head, by its number
    unreadable  names of rows that no key opens
    """

    opened: Sequence[int]
    older: dict[int, list[str]]
    unreadable: Sequence[str]

    @property
    def unused(self) -> list[int]:
        """Numbers of the keys behind the head that nothing needs; the head is number 1."""
        return [number + 1 for number, many in enumerate(self.opened) if number and not many]

    @property
    def done(self) -> bool:
        """Whether the head alone opens everything."""
        return not self.older and not self.unreadable


def prove() -> Proof:
    """Reads every stored secret and tries the head alone, then each other key by itself."""
    keys, opened = Keys(), Counter[int]()
    older: dict[int, list[str]] = {}
    unreadable = []
    for place in places():
        for pk, stored in place.stored():
            number = keys.opener(stored)
            if number is None:
                unreadable.append(place.name(pk))
                continue
            opened[number] += 1
            if number:
                older.setdefault(number + 1, []).append(place.name(pk))
    return Proof([opened[number] for number in range(len(settings.FERNET_KEYS))], older, unreadable)


def reencrypt(tell: Callable[[int], object] = lambda done: None) -> int:
    """Brings every secret that another key opens under the head, row by row; returns how many.

    May be killed after any row, and run again. What no key opens stays as it is, unless the token was wiped anyway.
    `tell` hears how many are done.
    """
    keys, done = Keys(), 0
    for place in places():
        for pk, stored in list(place.stored()):
            if keys.opener(stored) != 0 and _reencrypt(place, pk, stored, keys):
                done += 1
                tell(done)
    return done


def _reencrypt(place: Place, pk: Any, stored: bytes | None, keys: Keys) -> bool:
    """False when there was nothing to do any more. Who is overtaken again and again leaves it to the next call."""
    for _ in range(TRIES):
        if stored is None:
            return False
        number = keys.opener(stored)
        if number == 0 or (number is None and not place.holds_nothing(pk)):
            return False
        if place.swap(pk, stored, keys.anew(stored, number)):
            return True
        stored = place.read(pk)
    return False
