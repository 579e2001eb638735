"""Seats, devices that signed in, their tokens, and what leads to them."""

import peewee as pw


def up(migrator, db):
    class DeviceRow(db.Model):
        id = pw.AutoField()
        api_key_id = pw.IntegerField(index=True)
        name = pw.CharField(max_length=80)
        flow = pw.CharField(max_length=8)
        address = pw.CharField(max_length=64)
        user_agent = pw.CharField(max_length=200)
        created_at = pw.BigIntegerField()
        refreshed_at = pw.BigIntegerField()
        refresh_address = pw.CharField(max_length=64)
        family = pw.CharField(max_length=64, unique=True)
        refresh_digest = pw.CharField(max_length=64)
        generation = pw.IntegerField(default=0)
        spent = pw.TextField(default="[]")
        refresh_expires_at = pw.BigIntegerField()
        ends_at = pw.BigIntegerField(null=True)
        end_reason = pw.CharField(max_length=16, null=True)

        class Meta:
            table_name = "oauth_device"
            legacy_table_names = False

    class AccessTokenRow(db.Model):
        digest = pw.CharField(max_length=64, primary_key=True)
        device_id = pw.IntegerField(index=True)
        generation = pw.IntegerField()
        expires_at = pw.BigIntegerField(index=True)

        class Meta:
            table_name = "oauth_access_token"
            legacy_table_names = False

    class SignInRequestRow(db.Model):
        id = pw.AutoField()
        digest = pw.CharField(max_length=64, unique=True)
        flow = pw.CharField(max_length=8)
        user_code = pw.CharField(max_length=64, null=True, index=True)
        redirect_uri = pw.CharField(max_length=100, null=True)
        challenge = pw.CharField(max_length=43, null=True)
        state = pw.CharField(max_length=500, null=True)
        address = pw.CharField(max_length=64)
        network = pw.CharField(max_length=64)
        user_agent = pw.CharField(max_length=200)
        created_at = pw.BigIntegerField()
        expires_at = pw.BigIntegerField(index=True)

        verdict = pw.CharField(max_length=8, default="")
        api_key_id = pw.IntegerField(null=True)
        user_id = pw.IntegerField(null=True)
        device_name = pw.CharField(max_length=80, default="")
        polled_at = pw.BigIntegerField(null=True)
        poll_seconds = pw.IntegerField(default=5)

        class Meta:
            table_name = "oauth_request"
            legacy_table_names = False

    class AuthorizationCodeRow(db.Model):
        digest = pw.CharField(max_length=64, primary_key=True)
        api_key_id = pw.IntegerField()
        user_id = pw.IntegerField()
        redirect_uri = pw.CharField(max_length=100)
        challenge = pw.CharField(max_length=43)
        device_name = pw.CharField(max_length=80)
        address = pw.CharField(max_length=64)
        user_agent = pw.CharField(max_length=200)
        expires_at = pw.BigIntegerField(index=True)
        is_used = pw.BooleanField(default=False)
        device_id = pw.IntegerField(null=True)

        class Meta:
            table_name = "oauth_code"
            legacy_table_names = False

    db.create_tables(
        [DeviceRow, AccessTokenRow, SignInRequestRow, AuthorizationCodeRow]
    )
    migrator.migrate(
        migrator.add_column(
            "api_key", "user_id", pw.IntegerField(null=True, unique=True)
        ),
        migrator.add_column("request_log", "device_id", pw.IntegerField(null=True)),
    )
