"""Users of the dashboard, their sessions and links, and sign-ins that failed.

What opens something (session, link, recovery code) rests as its SHA-256 alone: each
has at least 80 random bits.
"""

import peewee as pw

from gateway.store.models import BaseModel, now_ms


class UserRow(BaseModel):
    id = pw.AutoField()
    name = pw.CharField(max_length=80, unique=True)
    role = pw.CharField(max_length=16)
    password = pw.CharField(max_length=200, null=True)  # argon2id; NULL: none yet
    totp_secret = pw.TextField(null=True)  # encrypted
    totp_step = pw.BigIntegerField(default=0)  # of the last code that was used
    recovery_codes = pw.TextField(default="[]")  # JSON list of digests
    networks = pw.TextField(default="[]")  # JSON list: signed in from, the latest first
    is_disabled = pw.BooleanField(default=False)
    created_at = pw.BigIntegerField(default=now_ms)
    signed_in_at = pw.BigIntegerField(null=True)

    class Meta:
        table_name = "dashboard_user"


class SessionRow(BaseModel):
    """Of a user or of an API key's holder, who is bound to the key's token."""

    id = pw.AutoField()
    digest = pw.CharField(max_length=64, unique=True)
    user_id = pw.IntegerField(null=True)
    key_id = pw.IntegerField(null=True)
    key_digest = pw.CharField(max_length=64, null=True)
    address = pw.CharField(max_length=64)
    user_agent = pw.CharField(max_length=200)
    created_at = pw.BigIntegerField(default=now_ms)
    signed_in_at = pw.BigIntegerField()  # or confirmed
    seen_at = pw.BigIntegerField()
    expires_at = pw.BigIntegerField()

    class Meta:
        table_name = "dashboard_session"


class LinkRow(BaseModel):
    """One of each user; the one of 0 makes the first user."""

    user_id = pw.IntegerField(primary_key=True)
    digest = pw.CharField(max_length=64)
    expires_at = pw.BigIntegerField()

    class Meta:
        table_name = "dashboard_link"


class FailedSignInRow(BaseModel):
    """How often somebody guessed wrong, by address and by account."""

    subject = pw.CharField(max_length=64, primary_key=True)
    failures = pw.IntegerField()
    last_at = pw.BigIntegerField(index=True)  # what is old goes

    class Meta:
        table_name = "failed_sign_in"
