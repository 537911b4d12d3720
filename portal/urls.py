"""The roof's map."""

import django_stubs_ext
from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from . import account
from .signin import SignIn

django_stubs_ext.monkeypatch()  # so that the generic classes of the admin may name their models, as mypy wants
admin.autodiscover()
urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("account/password/", account.Password.as_view(), name="password"),
    path("account/appearance/", account.appearance, name="appearance"),
    path("admin/", admin.site.urls),
    path("", include("evidence.urls")),
]
