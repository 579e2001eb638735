"""What is typed wrong: one line that names it and what to do instead."""

import shlex

import pytest

from gateway.demo.accounts import DemoAccount
from tests.gateway.cli.commands import Commands

# What is typed, and words that the line has. Nothing was begun.
USAGE = [
    ("frobnicate", "No such command 'frobnicate'. `run.py --help` has examples."),
    ("key list", "No such command 'key'. Did you mean 'keys'?"),
    ("account list", "Did you mean 'accounts'?"),
    ("Keys list", "Did you mean 'keys'?"),
    ("log", "Did you mean 'logs'?"),
    ("explian x", "Did you mean 'explain'?"),
    ("codex", "Did you mean 'codex-config'?"),
    ("start", "Did you mean 'serve'?"),
    ("version", "Did you mean '--version'?"),
    ("keys help", "Did you mean '--help'?"),
    ("accounts create x", "Did you mean 'add'?"),
    ("login", "Did you mean 'accounts login'?"),
    ("import x", "Did you mean 'accounts import'?"),
    ("check", "Did you mean 'config check' or 'prices check'?"),
    ("keys ls", "Did you mean 'list'? `run.py keys --help` has examples."),
    ("keys delete x", "Did you mean 'remove'?"),
    ("keys add x", "Did you mean 'create'?"),
    ("keys rotat x", "Did you mean 'rotate'?"),
    ("accounts rm x", "Did you mean 'remove'?"),
    ("accounts update x", "Did you mean 'set'?"),
    ("accounts stop x", "Did you mean 'pause'?"),
    ("accounts rotate_key", "Did you mean 'rotate-key'?"),
    ("config chek", "Did you mean 'check'?"),
    ("admin tokne", "Did you mean 'token'?"),
    ("turns stop", "No such command 'stop'"),
    ("--verison", "Did you mean '--version'?"),
    ("serve --workers 0", "0 is not in the range 1<=x<=64"),
    ("serve --workers 2", "2 workers need PostgreSQL (GATEWAY_DATABASE_URL)"),
    ("--port 80", "No such option '--port'. `run.py --help` has examples."),
    ("logs --limt 4", "No such option '--limt'. Did you mean '--limit'?"),
    ("logs --stat error", "Did you mean '--status'?"),
    ("logs -f", "No such option '-f'. Did you mean '--follow'?"),
    ("logs -n 5", "No such option '-n'. `run.py logs --help` has examples."),
    ("logs --jsn", "Did you mean '--json'?"),
    ("logs --limit", "Option '--limit' requires an argument."),
    ("logs --limit ten", "'ten' is not a whole number. `run.py logs --help`"),
    ("logs --limit 0", "0 is not in the range 1<=x<=100000."),
    ("logs --limit 1000000", "1000000 is not in the range"),
    ("logs --status eror", "Did you mean 'error'?"),
    ("logs --status 429", "'429' is not one of 'success'"),
    ("logs yesterday", "Got unexpected extra argument (yesterday)"),
    ("usage --by keys", "Did you mean 'key'?"),
    ("usage --by year", "'year' is not one of"),
    ("usage --form csv", "No such option '--form'."),
    ("export --format cvs", "Did you mean 'csv'?"),
    ("export --out x", "Did you mean '--output'?"),
    ("export -o x", "Did you mean '--output'?"),
    ("backup", "Missing argument 'FILE'. `run.py backup --help` has examples."),
    ("backup a b", "Got unexpected extra argument (b)"),
    ("explain", "Missing argument 'REQUEST_ID'."),
    ("strategy lottery", "'lottery' is not one of 'capacity_weighted'"),
    ("strategy round-robin", "Did you mean 'round_robin'?"),
    ("strategy fill", "Did you mean 'fill_first'?"),
    ("demo --port 99999", "99999 is not in the range 0<=x<=65535."),
    ("demo --port http", "'http' is not a whole number."),
    ("doctor --quik", "Did you mean '--quick'?"),
    ("codex-config --writ", "Did you mean '--write'?"),
    ("accounts import", "Missing argument 'FILE…'."),
    ("accounts import a b --name x", "--name is for one file."),
    ("accounts add --name x --base-url y", "Missing option '--api-key-env'."),
    ("accounts set x", "Nothing to change: give at least one option."),
    ("accounts set x --priority high", "'high' is not a valid integer."),
    ("accounts set x --websocket", "Did you mean '--websockets'?"),
    ("keys update x", "Nothing to change: give at least one option."),
    ("keys update x --enforce-effor low", "Did you mean '--enforce-effort'?"),
    ("keys update x --rpm fast", "'fast' is not a valid integer."),
    ("keys rotate", "Missing argument 'NAME'."),
    ("keys show a b", "Got unexpected extra argument (b)"),
    ("errors --markdwon", "Did you mean '--markdown'?"),
    ("keys create", "Give NAME, once. `run.py keys create --help` has examples."),
    ("keys create x --name y", "Give NAME, once."),
    ("keys create x --models ',,'", "--models names nothing; '' takes a rule away."),
    ("keys create x --accounts ' '", "--accounts names nothing;"),
    ("keys create x --limit ' '", "--limit names nothing;"),
    ("keys update x --models ' , '", "--models names nothing;"),
    ("keys update x --drop-limit ' '", "--drop-limit names nothing;"),
    ("keys create x --rpm 1.5", "'1.5' is not a valid integer."),
    ("keys delete-log x", "Nobody can be asked here: give --yes."),
    ("keys list --url nourl", "--url is https://host[:port], or http:// on loopback."),
    ("doctor --url gateway:2455", "'gateway:2455' is no URL as in https://host[:port]"),
    ("codex-config --url ftp://x", "'ftp://x' is no URL as in https://host[:port]"),
    ("codex-config --url http://[x", "is no URL"),
    ("codex-config --url 'http://x/\n'", "is no URL"),
    ("codex-config --key 'sk-cgw-1\n'", "'--key': it has characters that no key has"),
    ("doctor --quick --key 'sk-cgw-1\nx: y'", "'--key': it has characters that no key"),
    ("doctor --quick --key clé", "'--key': it has characters that no key has"),
    ("completion install tcsh", "'tcsh' is not one of 'bash', 'zsh', 'fish'."),
    ("completion instal", "Did you mean 'install'?"),
    ("help limit", "Did you mean 'limits'? `run.py help` lists them."),
    ("help keys rotat", "There is no topic 'rotat'. Did you mean 'rotate'?"),
    ("database copy", "Missing argument 'URL'."),
    ("restore a b", "Got unexpected extra argument (b)"),
    ("prices chekc", "Did you mean 'check'?"),
]


@pytest.mark.parametrize(("typed", "words"), USAGE, ids=lambda one: one)
def test_what_cannot_be_meant_is_one_line_with_what_was_likely_meant(
    commands, typed, words
):
    done = commands(*shlex.split(typed))
    assert words in done.err
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("Error: ")
    assert not commands.data_dir.exists()  # nothing was begun


# What was understood, and is refused: with the name or value, and what would do.
SHAPE = "write MEASURE AMOUNT/WINDOW [model=GLOB] [open], as in 'tokens 2M/7d'"
TIMES = "give 90 minutes, 12h, 3 days, 2 weeks, 3 months, or a date"
REFUSED = [
    ("keys show nobody", "'nobody': `run.py keys list` shows those there are"),
    ("keys show laptpo", "There is no API key 'laptpo'; did you mean laptop?"),
    ("accounts pause adda@demo.example", "did you mean ada@demo.example?"),
    ("keys show la", "There is no API key 'la'; did you mean laptop, lab?"),
    ("keys remove lapt", "did you mean laptop?"),
    ("keys disable ''", "There is no API key ''"),
    ("keys create laptop", "There is an API key 'laptop' already"),
    ("keys create ''", "a name has 1 to 128 printable characters"),
    ("keys create x --limit 'tokens 2M'", f"limit 'tokens 2M': {SHAPE}"),
    ("keys create x --limit 'token 2M/7d'", "measure is one of tokens, input"),
    ("keys create x --limit 'tokens 2Q/7d'", SHAPE),
    ("keys create x --limit 'tokens -5/7d'", SHAPE),
    ("keys create x --limit 'tokens 5/7dd'", "as in 1h, 7d, 3 months"),
    ("keys create x --expires soon", f"expiry 'soon': {TIMES}"),
    ("keys create x --expires 2020-01-01", "is not in the future"),
    ("keys create x --accounts nobody", "`run.py accounts list` shows"),
    ("keys create x --rpm 0", " 0 is out of range: 1 to"),
    ("keys create x --tool web_search", "write pass|strip|refuse TYPE"),
    ("keys create x --tool 'block web_search'", "write pass|strip|refuse TYPE"),
    ("keys create x --alias a", "write NAME=MODEL, as in"),
    ("keys update laptop --raise 'tokens 2X'", "as in 'tokens +2M'"),
    ("keys update laptop --drop-limit cost", "the key has 'tokens 2000000/7d'"),
    ("keys update laptop --rename lab", "There is an API key 'lab' already"),
    ("keys rotate laptop --overlap never", f"overlap 'never': {TIMES}"),
    ("accounts pause nobody", "`run.py accounts list` shows those there are"),
    ("accounts remove ad", "did you mean ada@demo.example?"),
    ("accounts probe nobody", "There is no account 'nobody'"),
    ("accounts set ada --concurrency 0", " 0 is out of range: 1 to"),
    ("accounts set ada --rename ''", "a name has 1 to 80 printable characters"),
    ("accounts import none.json", "none.json: No such file or directory"),
    ("accounts import pyproject.toml", "pyproject.toml: is not JSON"),
    ("accounts import .", "is no regular file"),
    ("accounts import /dev/null", "is no regular file"),
    ("accounts import -", "-: is not JSON"),
    ("accounts import '~no-one/x'", "~no-one/x: whoever runs this has no such home"),
    ("codex-config --codex-home '~no-one'", "~no-one: whoever runs this has no"),
    (
        "accounts add --name x --api-key-env NO_KEY --base-url https://h/v1",
        "The variable NO_KEY is not set or empty.",
    ),
    (
        "accounts add --name x --api-key-env HOME --base-url h/v1",
        "give http(s)://host[/path], as in https://api.openai.com/v1",
    ),
    (
        "accounts add --name x --api-key-env HOME --base-url https://h/v1/responses",
        "/responses is added to it; give https://h/v1",
    ),
    ("logs --since recently", f"since 'recently': {TIMES}"),
    ("logs --key nobody", "`run.py keys list` shows those there are"),
    ("usage --since 3x", TIMES),
    ("explain zzz", "There is no request 'zzz': `run.py logs` shows"),
    ("export --output .", ". is no regular file: name another file"),
    ("export --output none/x", "none is no folder: make it first"),
    ("backup pyproject.toml", "exists already: --force replaces it"),
    ("restore none.db", "none.db is no file"),
    ("restore pyproject.toml", "cannot be restored: file is not a database"),
    ("turns", "; --url names one elsewhere."),
    ("turns cut abc", "No gateway runs on "),
    ("prices reload", "No gateway runs on "),
    ("tools web_search", "as in 'pass file_search accounts=api_key'"),
    ("aliases a", "write NAME=MODEL"),
    ("aliases a=b b=c", "'b' is an alias, and 'a=b' one of it"),
    ("recorder", "no recording: the loop was not blocked"),
    ("codex-config --write --codex-home /proc/x", "/proc/x: No such file"),
    ("keys list --url http://127.0.0.1:1", "GATEWAY_ADMIN_TOKEN is not set"),
]


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """A gateway's data with two keys and an account, which no row changes."""
    folder = tmp_path_factory.mktemp("used")
    made = Commands(folder)
    made.good("keys", "create", "laptop", "--limit", "tokens 2M/7d")
    made.good("keys", "create", "lab")
    login = DemoAccount("ada").write_auth_file(folder / "auth")
    made.good("accounts", "import", login)
    made.before = made.rows("keys", "list"), made.rows("accounts", "list")
    return made


@pytest.mark.parametrize(("typed", "words"), REFUSED, ids=lambda one: one)
def test_what_is_refused_is_named_with_what_would_do(used, typed, words):
    done = used(*shlex.split(typed), GATEWAY_ADMIN_TOKEN=None)
    assert words in done.err
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("Error: ")
    assert done.err.count("\n") == 1 + ("Nothing was imported." in done.err)


@pytest.mark.parametrize(
    "typed",
    ["keys show", "logs --status", "accounts import", "help", "keys create x --limit"],
)
def test_a_long_input_of_lines_is_told_in_a_short_line(used, typed):
    done = used(*typed.split(), "a\nb" * 30_000)
    status = 2 if typed in ("help", "logs --status") else 1
    assert (done.status, len(done.err) < 700) == (status, True)
    assert done.err.count("\n") <= 2
    assert "Error: " in done.err


def test_nothing_was_changed_by_what_was_refused(used):
    assert (used.rows("keys", "list"), used.rows("accounts", "list")) == used.before


SETTINGS = [
    ("PORT", "http", 2, "`run.py help GATEWAY_PORT` says more."),
    ("PORT", "99999", 2, "GATEWAY_PORT: "),
    ("IDLE_TIMEOUT", "-1", 2, "GATEWAY_IDLE_TIMEOUT: "),
    ("WEBSOCKETS", "maybe", 2, "GATEWAY_WEBSOCKETS: "),
    ("TRUSTED_PROXIES", "10.0.0.0/99", 2, "GATEWAY_TRUSTED_PROXIES: "),
    ("UPSTREAM_BASE_URL", "chatgpt.com", 2, "GATEWAY_UPSTREAM_BASE_URL: "),
    ("PUBLIC_URL", "gateway", 2, "GATEWAY_PUBLIC_URL: "),
    ("LOG_RETENTION_DAYS", "9" * 20, 2, "GATEWAY_LOG_RETENTION_DAYS: "),
    ("LOG_RETENTION_DAYS", "0", 2, "GATEWAY_LOG_RETENTION_DAYS: "),
    ("ENCRYPTION_KEY", "x", 1, "GATEWAY_ENCRYPTION_KEY: an encryption key is"),
    ("DATABASE_URL", "mysql://x", 1, "postgresql (GATEWAY_DATABASE_URL"),
    ("DATABASE_URL", "postgresql://h:port/x", 1, "or port of the PostgreSQL URL"),
    ("DATABASE_URL", "postgresql://[::1/x", 1, "or port of the PostgreSQL URL"),
    ("DATABASE_URL", "sqlite:////", 1, "(GATEWAY_DATABASE_URL"),
    ("DATABASE_URL", "postgresql://127.0.0.1:1/x", 1, "(GATEWAY_DATABASE_URL): "),
    ("DATABASE_URL", "postgresql://u:hid/den@h/x", 1, "a / is %2F there"),
    ("DATA_DIR", "~no-one/x", 2, "GATEWAY_DATA_DIR: ~no-one/x: whoever runs this has"),
    ("DATA_DIR", "", 2, "GATEWAY_DATA_DIR: Give a folder, or leave it out"),
    ("HOST", "", 2, "GATEWAY_HOST: Give an address, or leave it out"),
    ("PRICES", "~no-one/x", 2, "GATEWAY_PRICES: ~no-one/x: whoever runs this has"),
    ("DATA_DIR", "/proc/x", 1, "(GATEWAY_DATABASE_URL, GATEWAY_DATA_DIR)"),
    ("DATA_DIR", "/dev/null", 1, "/dev/null"),
]


@pytest.mark.parametrize(("name", "value", "status", "words"), SETTINGS, ids=str)
def test_a_wrong_setting_is_named(commands, name, value, status, words):
    done = commands("accounts", "list", **{f"GATEWAY_{name}": value})
    assert words in done.err
    assert "hid" not in done.err  # of a password
    assert (done.status, done.out, done.err.count("\n")) == (status, "", 1)


@pytest.mark.parametrize("words", ["accounts list", "config check"])
def test_an_env_file_that_is_no_text_is_named(commands, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes("GATEWAY_PORT=1\n".encode("utf-16"))
    done = commands(*words.split())
    told = "Error: .env: is no text in UTF-8\n"
    assert (done.status, done.err) == (1, told)


def test_the_tables_have_a_hundred_inputs():
    assert len(USAGE) + len(REFUSED) + len(SETTINGS) >= 100
