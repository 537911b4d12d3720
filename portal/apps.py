"""The floor as a Django app, and the portal's own admin site in place of the stock one."""

from typing import Any

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "People and roles"
    default = True

    def ready(self) -> None:
        from . import access, signin  # noqa: F401  # sign-ins are recorded by signals

        def roles(**kwargs: Any) -> None:
            access.write_roles()

        post_migrate.connect(roles, weak=False, dispatch_uid="portal.roles")


class PortalAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "portal.site.PortalAdminSite"
