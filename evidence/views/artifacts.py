"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from portal.access import VIEW, needs


@needs(VIEW)
def index(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


@needs(VIEW)
def artifact(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


@needs(VIEW)
def export(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")
