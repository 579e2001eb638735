"""Users of the dashboard, their sessions and links, and sign-ins that failed."""

import peewee as pw


def up(migrator, db):
    class UserRow(db.Model):
        id = pw.AutoField()
        name = pw.CharField(max_length=80, unique=True)
        role = pw.CharField(max_length=16)
        password = pw.CharField(max_length=200, null=True)
        totp_secret = pw.TextField(null=True)
        totp_step = pw.BigIntegerField(default=0)
        recovery_codes = pw.TextField(default="[]")
        networks = pw.TextField(default="[]")
        is_disabled = pw.BooleanField(default=False)
        created_at = pw.BigIntegerField()
        signed_in_at = pw.BigIntegerField(null=True)

        class Meta:
            table_name = "dashboard_user"
            legacy_table_names = False

    class SessionRow(db.Model):
        id = pw.AutoField()
        digest = pw.CharField(max_length=64, unique=True)
        user_id = pw.IntegerField(null=True)
        key_id = pw.IntegerField(null=True)
        key_digest = pw.CharField(max_length=64, null=True)
        address = pw.CharField(max_length=64)
        user_agent = pw.CharField(max_length=200)
        created_at = pw.BigIntegerField()
        signed_in_at = pw.BigIntegerField()
        seen_at = pw.BigIntegerField()
        expires_at = pw.BigIntegerField()

        class Meta:
            table_name = "dashboard_session"
            legacy_table_names = False

    class LinkRow(db.Model):
        user_id = pw.IntegerField(primary_key=True)
        digest = pw.CharField(max_length=64)
        expires_at = pw.BigIntegerField()

        class Meta:
            table_name = "dashboard_link"
            legacy_table_names = False

    class FailedSignInRow(db.Model):
        subject = pw.CharField(max_length=64, primary_key=True)
        failures = pw.IntegerField()
        last_at = pw.BigIntegerField(index=True)

        class Meta:
            table_name = "failed_sign_in"
            legacy_table_names = False

    db.create_tables([UserRow, SessionRow, LinkRow, FailedSignInRow])
