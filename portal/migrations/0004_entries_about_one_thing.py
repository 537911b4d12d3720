"""The entries about one thing are found without reading the whole log."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0003_ledger"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["target", "id"], name="entries_about_one_thing"),
        ),
    ]
