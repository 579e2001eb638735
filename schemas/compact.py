"""Requests for a compaction: like the surface's others, but not stored or streamed."""

from typing import ClassVar

from schemas.responses import CodexResponsesSchema, V1ResponsesSchema


class CodexCompactSchema(CodexResponsesSchema):
    compact: ClassVar[bool] = True


class V1CompactSchema(V1ResponsesSchema):
    compact: ClassVar[bool] = True
