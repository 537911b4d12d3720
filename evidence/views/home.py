"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from portal.access import VIEW, needs


@needs(VIEW)
def home(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")
