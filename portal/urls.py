"""The roof's map."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import path

from .signin import SignIn

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
