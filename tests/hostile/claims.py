"""What strangers say of themselves and of what they want: addresses, hosts, origins,
paths. Nothing is hidden here; it is all claimed openly.

The columns are those of smuggling.py; LURE is the address of a server nobody calls.
"""

from tests.hostile.bytes_of import (
    CODEX,
    HEALTH,
    NONE,
    TURN,
    UPGRADE,
    length,
    send,
    turn,
)
from tests.hostile.smuggling import Attempt


def at(path: str, method: str = "POST") -> bytes:
    return send(f"{method} {path} HTTP/1.1", NONE)


def get(path: str) -> bytes:
    return at(path, "GET")


def local(*lines: str) -> bytes:
    """A Host of this machine, and a header that says who else is there."""
    return send(TURN, *lines, NONE, host="localhost")


def remote(*lines: str) -> bytes:
    return send(TURN, *lines, NONE)


PATHS: list[tuple[str, str, str, bytes]] = [
    ("two slashes in front", "404 200", "404 200", at(f"/{CODEX}")),
    ("two slashes inside", "404 200", "404 200", at("/backend-api//codex/responses")),
    ("a dot", "404 200", "404 200", at(f"/.{CODEX}")),
    ("up and down", "404 200", "404 200", at(f"/health/..{CODEX}")),
    ("up, encoded", "404 200", "404 200", get("/health/%2e%2e/api/keys")),
    ("up, encoded with its slash", "404 200", "404 200", get("/health/..%2fapi/keys")),
    ("up, encoded twice", "404 200", "404 200", get("/health/%252e%252e/api/keys")),
    ("up, overlong", "404 200", "404 200", get("/health/%c0%ae%c0%ae/api/keys")),
    ("up, with backslashes", "404 200", "404 200", get("/health/..\\api\\keys")),
    ("up, beyond the root", "400", "404 200", get("/../../../../etc/passwd")),
    ("up from an open route", "200 200", "200 200",
     get("/backend-api/ps/plugins/../../../api/keys")),
    ("parameter of the path", "404 200", "404 200", at(f"{CODEX};jsessionid=1")),
    ("parameter and up", "404 200", "404 200", get("/health/..;/api/keys")),
    ("slash at the end", "404 200", "404 200", at(f"{CODEX}/")),
    ("dot at the end", "404 200", "404 200", get("/api/keys.")),
    ("space at the end", "404 200", "404 200", get("/api/keys%20")),
    ("NUL at the end", "400", "404 200", get("/api/keys%00")),
    ("line feed at the end", "404 200", "404 200", get("/api/keys%0a")),
    ("encoded letters", "404 200", "404 200", at("/backend-api/codex/%72esponses")),
    ("other letters", "404 200", "404 200", at("/Backend-API/Codex/Responses")),
    ("full-width letters", "404 200", "404 200", get("/%ef%bd%81pi/keys")),
    ("a header in the path", "404 200", "404 200", get("/x%0d%0aX-Evil:%20yes")),
    ("a header in the query", "200 200", "200 200", get("/health?%0d%0aX-Evil:%20yes")),
    ("a path in the query", "200 200", "200 200", get("/health?/../api/keys")),
    ("a path in the fragment", "404 200", "404 200", get("/health#/../api/keys")),
    ("no slash", "400", "404 200", get("api/keys")),
    ("a star", "400", "404 200", at("*", "OPTIONS")),
    ("absolute", "401 200", "404 200", at(f"http://localhost{CODEX}")),
    ("absolute, elsewhere", "401 200", "404 200", at(f"http://LURE{CODEX}")),
    ("absolute, with a name in it", "400", "404 200",
     at(f"http://localhost@LURE{CODEX}")),
    ("absolute, another scheme", "401 200", "404 200", at(f"ftp://LURE{CODEX}")),
    ("without a scheme", "404 200", "404 200", at(f"//LURE{CODEX}")),
    ("a path of 70,000 letters", "414", "431 200", get("/" + "a" * 70_000)),
    ("a picture nobody has", "404 200", "404 200", get("/favicon.ico")),
    ("the keys", "401 200", "401 200", get("/api/keys")),
    ("a name with a slash", "401 200", "401 200", get("/api/keys/..%2fsettings")),
    ("a new key", "401 200", "401 200", at("/api/keys")),
    ("the accounts", "401 200", "401 200", get("/api/accounts")),
    ("the log", "401 200", "401 200", get("/api/logs?limit=1000")),
    ("the document", "401 200", "401 200", get("/api/openapi.json")),
    ("a reload", "401 200", "401 200", at("/api/reload")),
    ("the metrics", "401 200", "401 200", get("/metrics")),
    ("the doctor", "401 200", "401 200", at("/backend-api/codex/doctor?silence=60")),
    ("the dashboard", "403 200", "403 200", get("/dashboard/")),
    ("the dashboard, as if from here", "403 200", "303 200",
     send("GET /dashboard/ HTTP/1.1", NONE, host="localhost")),
    ("the dashboard, by a proxy's word", "403 200", "403 200",
     send("GET /dashboard/users HTTP/1.1", NONE, "X-Forwarded-Proto: https",
          "X-SSO-User: ada", "X-Gateway-SSO-Secret: x", host="localhost")),
    ("a sign-in", "403 200", "403 200", at("/dashboard/sign-in")),
    ("a sign-in, as if from here", "403 200", "403 200",
     send("POST /dashboard/sign-in HTTP/1.1", NONE, host="localhost")),
    ("a link", "403 200", "403 200", at("/dashboard/link")),
    ("a link's token", "401 200", "401 200", at("/api/dashboard/link")),
    ("another method", "401 200", "401 200",
     send(f"GET {CODEX} HTTP/1.1", "X-HTTP-Method-Override: POST")),
]  # fmt: skip

ADDRESSES = [
    ("X-Forwarded-For", local("X-Forwarded-For: 127.0.0.1")),
    ("X-Forwarded-For, empty", local("X-Forwarded-For:")),
    ("X-Forwarded-For, a chain", local("X-Forwarded-For: 127.0.0.1, ::1, 127.0.0.1")),
    ("X-Forwarded-For, twice",
     local("X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 127.0.0.1")),
    ("X_Forwarded_For", remote("X_Forwarded_For: 127.0.0.1")),
    ("X-Forwarded-Host", local("X-Forwarded-Host: localhost")),
    ("X-Forwarded-Proto", local("X-Forwarded-Proto: https")),
    ("X-Forwarded-Port", local("X-Forwarded-Port: 2455")),
    ("X-Forwarded-Prefix", local("X-Forwarded-Prefix: /api")),
    ("X-Real-IP", local("X-Real-IP: 127.0.0.1")),
    ("Forwarded", local('Forwarded: for="[::1]";host=localhost;proto=https')),
    ("Via", local("Via: 1.1 localhost")),
    ("True-Client-IP", local("True-Client-IP: 127.0.0.1")),
    ("CF-Connecting-IP", local("CF-Connecting-IP: 127.0.0.1")),
    ("X-Client-IP", local("X-Client-IP: 127.0.0.1")),
    ("X-Remote-Addr", remote("X-Remote-Addr: 127.0.0.1", "Remote-Addr: 127.0.0.1")),
    ("all of nginx's own, named by Connection",
     remote("Connection: X-Forwarded-For, X-Forwarded-Host, X-Real-IP, Host")),
    ("X-Original-URL", remote("X-Original-URL: /health", "X-Rewrite-URL: /health")),
    ("an empty key", remote("Authorization: Bearer ", "X-Api-Key: ")),
    ("a name and a password", remote("Authorization: Basic bG9jYWxob3N0Og==")),
    ("a cookie", remote("Cookie: api_key=x; authorization=Bearer x")),
]  # fmt: skip

# Names that mean this machine to somebody, and names that only look like it.
HOSTS = [
    ("another name", "401 200", "401 200", "evil.example"),
    ("our port", "401 200", "401 200", "evil.example:2455"),
    ("localhost in front", "401 200", "401 200", "localhost.evil.example"),
    ("our address in front", "401 200", "401 200", "127.0.0.1.evil.example"),
    ("our address behind", "401 200", "401 200", "evil.example.127.0.0.1"),
    ("a dot at the end", "401 200", "401 200", "localhost."),
    ("a user", "400 200", "400", "localhost@evil.example"),
    ("a user behind", "400 200", "400", "evil.example@localhost"),
    ("two hosts", "400 200", "400", "localhost,evil.example"),
    ("two ports", "401 200", "401 200", "localhost:2455:80"),
    ("a path", "400", "400", "localhost/evil"),
    ("no host", "400", "401 200", ""),
    ("everywhere", "401 200", "401 200", "0.0.0.0:2455"),
    ("zero", "401 200", "401 200", "0"),
    ("short", "401 200", "401 200", "127.1"),
    ("decimal", "401 200", "401 200", "2130706433"),
    ("hexadecimal", "401 200", "401 200", "0x7f000001"),
    ("octal", "401 200", "401 200", "0177.0.0.1"),
    ("an IPv4 in an IPv6", "401 200", "401 200", "[::ffff:127.0.0.1]:2455"),
    ("a zone", "401 200", "401 200", "[::1%25lo]"),
    ("behind an IPv6", "401 200", "401 200", "[::1]evil.example"),
]  # fmt: skip

EVIL = "Origin: https://evil.example"
ORIGINS = [
    ("a page", send(TURN, EVIL, NONE)),
    ("a page without an origin", send(TURN, "Origin: null", NONE)),
    ("a page on another port",
     send(TURN, "Origin: http://gateway.example.com:81", NONE)),
    ("a page of a longer name",
     send(TURN, "Origin: http://gateway.example.com.evil.example", NONE)),
    ("a page with a user",
     send(TURN, "Origin: http://gateway.example.com@evil.example", NONE)),
    ("two pages",
     send(TURN, "Origin: http://gateway.example.com http://evil.example", NONE)),
    ("an extension", send(TURN, "Origin: chrome-extension://evil", NONE)),
    ("a file", send(TURN, "Origin: file://", NONE)),
    ("an empty origin", send(TURN, "Origin:", NONE)),
    ("another site", send(TURN, "Sec-Fetch-Site: cross-site", NONE)),
    ("the same site", send(TURN, "Sec-Fetch-Site: same-site", NONE)),
    ("a question beforehand",
     send(f"OPTIONS {CODEX} HTTP/1.1", EVIL, "Access-Control-Request-Method: POST",
          "Access-Control-Request-Headers: content-type",
          "Access-Control-Request-Private-Network: true")),
    ("plain text",
     send(TURN, EVIL, "Content-Type: text/plain", length(turn()), body=turn())),
    ("a form", send(TURN, EVIL, "Content-Type: application/x-www-form-urlencoded",
                    length(b"a=b"), body=b"a=b")),
    ("a socket", send(f"GET {CODEX} HTTP/1.1", *UPGRADE, EVIL)),
    ("a socket of the public surface",
     send("GET /v1/responses HTTP/1.1", *UPGRADE, EVIL)),
    ("a page at the models", send("GET /v1/models HTTP/1.1", EVIL)),
    ("a page at the keys", send("GET /api/keys HTTP/1.1", EVIL)),
    ("a page at the metrics", send("GET /metrics HTTP/1.1", EVIL)),
    ("a page at the windows", send("GET /backend-api/wham/usage HTTP/1.1", EVIL)),
    ("a page asking for health", send(HEALTH, EVIL)),
]  # fmt: skip

# nginx passes the Host on without its port, so this page seems to be of our own origin;
# no page has a key.
NEIGHBOUR = send(TURN, "Origin: http://localhost", NONE, host="localhost:2455")

CLAIMS = [
    *(Attempt("path: " + name, n, d, sent) for name, n, d, sent in PATHS),
    *(Attempt("address: " + n, "401 200", "401 200", sent) for n, sent in ADDRESSES),
    *(
        Attempt("host: " + name, nginx, direct, send(TURN, NONE, host=host))
        for name, nginx, direct, host in HOSTS
    ),
    *(Attempt("origin: " + n, "403 200", "403 200", sent) for n, sent in ORIGINS),
    Attempt("origin: a page on localhost", "401 200", "403 200", NEIGHBOUR),
]
