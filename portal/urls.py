"""The roof's map."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from . import account
from .signin import SignIn

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("account/password/", account.Password.as_view(), name="password"),
    path("account/appearance/", account.appearance, name="appearance"),
    path("admin/", admin.site.urls),
    path("", include("evidence.urls")),
]
