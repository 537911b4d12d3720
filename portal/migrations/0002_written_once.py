"""The audit log's rows can be neither changed nor deleted."""

from django.db import migrations

from portal.canon import triggers


class Migration(migrations.Migration):
    dependencies = [("portal", "0001_initial")]
    operations = [triggers("portal_auditentry")]
