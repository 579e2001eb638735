"""What somebody with a key sends to have the gateway call somewhere else, as somebody
else, or say what it was not told to.

LURE is the address of a server that nobody has reason to call; "evil" is in whatever
must not go upstream.
"""

from typing import Any, NamedTuple

CODEX = "/backend-api/codex"
URL = "http://LURE/v1"
FORM = "Content-Type: multipart/form-data; boundary=x"


class Injection(NamedTuple):
    name: str
    statuses: str  # "200": served
    lines: tuple[str, ...] = ()
    fields: dict[str, Any] = {}  # noqa: RUF012
    target: str = CODEX + "/responses"


def _image(url: str) -> dict[str, Any]:
    parts = [{"type": "input_image", "image_url": url}]
    return {"input": [{"type": "message", "role": "user", "content": parts}]}


def _file(url: str) -> dict[str, Any]:
    parts = [{"type": "input_file", "file_url": url}]
    return {"input": [{"type": "message", "role": "user", "content": parts}]}


HEADERS = [
    ("another account", "200", ("ChatGPT-Account-Id: evil",)),
    ("another organization", "200",
     ("OpenAI-Organization: evil", "OpenAI-Project: evil")),
    ("another login", "200", ("Authorization: Bearer evil",)),
    ("the account's headers, named by Connection", "200",
     ("Connection: authorization, chatgpt-account-id, host, accept-encoding",)),
    ("hosts of all kinds", "200",
     ("X-Forwarded-Host: LURE", "X-Forwarded-Server: LURE", "X-Host: LURE",
      "X-Original-Host: LURE", "Forwarded: host=LURE")),
    ("URLs of all kinds", "200",
     (f"X-Original-URL: {URL}", f"X-Rewrite-URL: {URL}", f"Referer: {URL}",
      f"Destination: {URL}", f"Location: {URL}", f"X-Upstream: {URL}")),
    ("a proxy", "200", (f"Proxy: {URL}", f"Http-Proxy: {URL}", f"X-Proxy-URL: {URL}")),
    ("a Codex header with a URL", "200", (f"X-Codex-Base-Url: {URL}",)),
    ("cookies", "200", ("Cookie: evil=1", "Cookie2: evil")),
    ("an address of its own", "200",
     ("X-Forwarded-For: evil", "X-Real-IP: evil", "Via: 1.1 evil", "From: evil")),
    ("an encoding of the answer", "200", ("Accept-Encoding: evil", "TE: evil")),
    ("part of an answer", "200", ("Range: bytes=0-1", "If-None-Match: evil")),
    ("a trailer", "200", ("Trailer: X-Codex-Evil",)),
    ("an id with bytes above 127", "200",
     ("Session-Id: \xff\xfe\x80", "Thread-Id: \xe9")),
    ("an id with a tab", "200", ("Session-Id: a\tb", "X-Codex-Turn-State: a\tb")),
    ("an id with an encoded line", "200", ("X-Client-Request-Id: a%0d%0aX-Evil: b",)),
    ("an id of 30,000 letters", "200", ("X-Request-Id: " + "a" * 30_000,)),
    ("an id of our own", "200", ("X-Request-Id: evil",)),
    ("an id with a control character", "400", ("Session-Id: a\x0bX-Evil: b",)),
    ("a Codex header whose name has a space", "400", ("X-Codex-A : b",)),
]  # fmt: skip

FIELDS: list[tuple[str, str, dict[str, Any]]] = [
    ("a URL as a model", "400", {"model": URL}),
    ("a path as a model", "400", {"model": "../../wham/usage"}),
    ("a line in a model", "400", {"model": "gpt-5.5\r\nX-Evil: b"}),
    ("a base URL", "200", {"base_url": URL, "api_base": URL, "endpoint": URL}),
    ("a proxy", "200", {"proxy": URL, "proxies": {"http": URL}}),
    ("headers", "200", {"headers": {"X-Evil": "b"}, "extra_headers": {"Host": "LURE"}}),
    ("a picture", "200", _image("http://LURE/picture.png")),
    ("a picture in a file", "200", _image("file:///etc/passwd")),
    ("a document", "200", _file("http://LURE/document.pdf")),
    ("a tool elsewhere", "200",
     {"tools": [{"type": "mcp", "server_label": "a", "server_url": URL}]}),
    ("a line in the cache key", "200", {"prompt_cache_key": "a\r\nX-Evil: b"}),
    ("a path as the response before", "200", {"previous_response_id": "../../x"}),
    ("a callback", "200", {"metadata": {"callback": URL}, "webhook": URL}),
    ("a surrogate", "400", {"prompt_cache_key": "\ud800"}),
]  # fmt: skip

TARGETS = [
    ("a URL in the query", "200", f"{CODEX}/responses?base_url={URL}&url={URL}"),
    ("a path in the query", "200", f"{CODEX}/responses?/../../../evil"),
    ("a line in the query", "200", f"{CODEX}/responses?a=%0d%0aX-Evil:%20b"),
    ("compaction", "200", f"{CODEX}/responses/compact?url={URL}"),
    ("a picture made", "200", f"{CODEX}/images/generations?url={URL}"),
    ("a picture changed", "200", f"{CODEX}/images/edits?url={URL}"),
    ("a search", "200", f"{CODEX}/alpha/search?url={URL}"),
    ("a transcription", "400", f"/backend-api/transcribe?url={URL}"),
    ("a public transcription", "400", f"/v1/audio/transcriptions?url={URL}"),
    ("the alias", "200", f"{CODEX}/v1/responses?url={URL}"),
    ("the public surface", "200", f"/v1/responses?url={URL}"),
    ("another call of upstream", "404", "/backend-api/wham/tasks"),
    ("below a call", "404", f"{CODEX}/responses/../../wham/usage"),
    ("below a call, encoded", "404", f"{CODEX}/responses/..%2f..%2fwham/usage"),
    ("a connector", "404", "/backend-api/aip/connectors/..%2f..%2fevil"),
    ("a scheme", "404", f"{CODEX}/responses/http://LURE/"),
    ("a URL as the path", "404", f"{CODEX}/{URL}"),
]  # fmt: skip

INJECTIONS = [
    *(Injection("header: " + name, status, lines) for name, status, lines in HEADERS),
    *(Injection("field: " + n, status, (), fields) for n, status, fields in FIELDS),
    *(
        Injection("target: " + name, status, (), {}, target)
        for name, status, target in TARGETS
    ),
]
