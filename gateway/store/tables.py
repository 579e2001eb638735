"""All tables: what migrations make, and a backup counts."""

from gateway.store.log.conversations import ConversationRow
from gateway.store.log.minutes import UsageMinute
from gateway.store.log.refusals import RefusedRequest
from gateway.store.models import (
    AccountClaimRow,
    AccountRow,
    ApiKeyLimitRow,
    ApiKeyRow,
    AuditLog,
    BaseModel,
    BindingRow,
    LimitCounterRow,
    RequestLog,
    RuleDay,
    SettingRow,
    UsageDay,
    UsageHour,
)
from gateway.store.notices import NoticeRow
from gateway.store.shared.tables import (
    AskRow,
    ClaimRow,
    GrantRow,
    MemberRow,
    SightingRow,
)
from gateway.store.users.oauth_tables import (
    AccessTokenRow,
    AuthorizationCodeRow,
    DeviceRow,
    SignInRequestRow,
)
from gateway.store.users.tables import FailedSignInRow, LinkRow, SessionRow, UserRow

TABLES: tuple[type[BaseModel], ...] = (
    AccountRow,
    AccountClaimRow,
    ApiKeyRow,
    ApiKeyLimitRow,
    LimitCounterRow,
    RequestLog,
    UsageHour,
    UsageDay,
    UsageMinute,
    ConversationRow,
    RuleDay,
    RefusedRequest,
    BindingRow,
    AuditLog,
    SettingRow,
    NoticeRow,
    UserRow,
    SessionRow,
    LinkRow,
    FailedSignInRow,
    DeviceRow,
    AccessTokenRow,
    SignInRequestRow,
    AuthorizationCodeRow,
    MemberRow,
    ClaimRow,
    SightingRow,
    GrantRow,
    AskRow,
)
