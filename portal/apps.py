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
        from . import access, audit

        def roles(**kwargs: Any) -> None:
            access.write_roles()

        audit.hear_sign_ins()
        post_migrate.connect(roles, weak=False, dispatch_uid="portal.roles")


class PortalAdminConfig(admin_apps.SimpleAdminConfig):
    """Finds no admin modules by itself: `urls` asks for that, so that commands start without them."""

    default = False
    default_site = "portal.site.PortalAdminSite"
