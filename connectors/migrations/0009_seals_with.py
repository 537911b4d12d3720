from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connectors", "0008_diagnosis")]

    operations = [
        migrations.AddField(
            model_name="heartbeat",
            name="seals_with",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Fingerprint of the key that its machine encrypts tokens with",
                max_length=24,
            ),
        ),
    ]
