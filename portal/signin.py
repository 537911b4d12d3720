"""The door: signing in, and slowing down those who guess. Nobody is locked out, guessing gets slow.

Three counters per failure: this name from this address, this address, this name. Each asks for a wait
that doubles; the wait of the name alone stays short, so that a stranger cannot lock its owner out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from . import audit
from .canon import fingerprint
from .models import SignInSlowdown

FORGET_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Counter:
    """`free` failures cost nothing; then 1, 2, 4 … seconds, at most `longest`."""

    key: str
    free: int
    longest: int

    def wait(self, failures: int) -> int:
        over = failures - self.free
        return min(self.longest, 2 ** min(over, 20)) if over >= 0 else 0


def counters(name: str, address: str | None) -> list[Counter]:
    who, where = fingerprint("sign-in", name.strip().lower()), address or "unknown"
    return [
        Counter(f"{who}@{where}", free=4, longest=900),
        Counter(f"@{where}", free=20, longest=900),
        Counter(who, free=20, longest=10),
    ]


def seconds_to_wait(name: str, address: str | None, now: datetime) -> int:
    """How long this name from this address must wait before the next try; 0 when it may try now."""
    known = {counter.key: counter for counter in counters(name, address)}
    left = [
        known[row.key].wait(row.failures) - (now - row.last).total_seconds()
        for row in SignInSlowdown.objects.filter(key__in=known, last__gt=now - FORGET_AFTER)
    ]
    return max(0, *(int(seconds) + (seconds > int(seconds)) for seconds in left), 0)


def note_failure(name: str, address: str | None, now: datetime) -> None:
    with transaction.atomic():
        for counter in counters(name, address):
            row, fresh = SignInSlowdown.objects.select_for_update().get_or_create(
                key=counter.key, defaults={"last": now}
            )
            row.failures = 1 if fresh or now - row.last > FORGET_AFTER else row.failures + 1
            row.last = now
            row.save()
        SignInSlowdown.objects.filter(last__lt=now - FORGET_AFTER).delete()


def note_success(name: str, address: str | None) -> None:
    """The right password forgives this name at this address; the address's own count stays."""
    SignInSlowdown.objects.filter(key=counters(name, address)[0].key).delete()


class SignInForm(AuthenticationForm):
    slowed = False

    def clean(self) -> dict[str, Any]:
        assert self.request is not None
        name = str(self.cleaned_data.get("username", ""))
        address, now = audit.address(self.request), timezone.now()
        wait = seconds_to_wait(name, address, now)
        if wait:
            self.slowed = True
            self._refused(name, "slowed down")
            self.add_error(None, f"Too many wrong attempts. Wait {wait} seconds, then try again. Nobody is locked out.")
            return self.cleaned_data
        try:
            cleaned: dict[str, Any] = super().clean()
        finally:
            if self.user_cache is None and name:
                note_failure(name, address, now)
                self._refused(name, "wrong name or password")
        note_success(name, address)
        return cleaned

    def _refused(self, name: str, why: str) -> None:
        audit.record(audit.Action.SIGN_IN_REFUSED, actor=None, request=self.request, name=name, why=why)


class SignIn(auth_views.LoginView):
    template_name = "sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        response.status_code = 429 if getattr(form, "slowed", False) else 200
        return response
