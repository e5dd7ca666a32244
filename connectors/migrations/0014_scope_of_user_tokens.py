from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connectors", "0013_scheduled_at")]

    operations = [
        migrations.AddField(
            model_name="grant",
            name="scope",
            field=models.CharField(
                blank=True,
                default="",
                help_text="What a program asked for of the permissions (RFC 6749 §3.3); empty for all of them.",
                max_length=500,
                verbose_name="scope",
            ),
            preserve_default=False,
        ),
        migrations.RemoveField(model_name="authorizationcode", name="permissions"),
        migrations.AddField(  # codes live a minute: those before this give nothing
            model_name="authorizationcode",
            name="scope",
            field=models.CharField(
                default="", help_text="What the person saw (RFC 6749 §3.3).", max_length=500, verbose_name="scope"
            ),
            preserve_default=False,
        ),
    ]
