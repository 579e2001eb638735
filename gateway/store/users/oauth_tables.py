"""Devices that signed in, their tokens, and what leads to them.

Codes and tokens rest as their SHA-256 alone: each has 256 random bits, but for the
code a person types, which lives for minutes and is guarded by a count of guesses.
"""

import peewee as pw

from gateway.store.models import BaseModel, now_ms

# The setting that holds what refresh tokens are derived with, encrypted.
REFRESH_KEY = "oauth_refresh_key"


class DeviceRow(BaseModel):
    """One sign-in of a seat (`api_key_id`), with the chain of its refresh tokens."""

    id = pw.AutoField()
    api_key_id = pw.IntegerField(index=True)
    name = pw.CharField(max_length=80)
    flow = pw.CharField(max_length=8)  # browser, device
    address = pw.CharField(max_length=64)  # that asked
    user_agent = pw.CharField(max_length=200)
    created_at = pw.BigIntegerField(default=now_ms)
    refreshed_at = pw.BigIntegerField(default=now_ms)
    refresh_address = pw.CharField(max_length=64)
    family = pw.CharField(max_length=64, unique=True)  # digest of what all share
    refresh_digest = pw.CharField(max_length=64)  # of the current one
    generation = pw.IntegerField(default=0)  # of the current one
    spent = pw.TextField(default="[]")  # JSON list of [digest, good until or null]
    refresh_expires_at = pw.BigIntegerField()
    ends_at = pw.BigIntegerField(null=True)  # ended from then on; NULL: it is not
    end_reason = pw.CharField(max_length=16, null=True)

    class Meta:
        table_name = "oauth_device"


class AccessTokenRow(BaseModel):
    digest = pw.CharField(max_length=64, primary_key=True)
    device_id = pw.IntegerField(index=True)
    generation = pw.IntegerField()  # of the refresh token issued with it
    expires_at = pw.BigIntegerField(index=True)  # what is old goes

    class Meta:
        table_name = "oauth_access_token"


class SignInRequestRow(BaseModel):
    """What a client asked for, until a person has decided about it."""

    id = pw.AutoField()
    digest = pw.CharField(max_length=64, unique=True)  # of handle or device code
    flow = pw.CharField(max_length=8)  # browser, device
    user_code = pw.CharField(max_length=64, null=True, index=True)  # digest
    redirect_uri = pw.CharField(max_length=100, null=True)
    challenge = pw.CharField(max_length=43, null=True)  # S256
    state = pw.CharField(max_length=500, null=True)
    address = pw.CharField(max_length=64)
    network = pw.CharField(max_length=64)
    user_agent = pw.CharField(max_length=200)
    created_at = pw.BigIntegerField(default=now_ms)
    expires_at = pw.BigIntegerField(index=True)
    # Of the device flow: what was decided, and how it is polled.
    verdict = pw.CharField(max_length=8, default="")  # approved, denied
    api_key_id = pw.IntegerField(null=True)
    user_id = pw.IntegerField(null=True)
    device_name = pw.CharField(max_length=80, default="")
    polled_at = pw.BigIntegerField(null=True)
    poll_seconds = pw.IntegerField(default=5)

    class Meta:
        table_name = "oauth_request"


class AuthorizationCodeRow(BaseModel):
    """Stays after its use: a second one ends the device."""

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
    device_id = pw.IntegerField(null=True)  # made of it

    class Meta:
        table_name = "oauth_code"
