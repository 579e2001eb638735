"""What is typed wrong: one line that names it and what to do instead."""

import pytest

# What is typed, the status, and words that the line has.
USAGE = [
    ("frobnicate", "No such command 'frobnicate'. `run.py --help` has examples."),
    ("key list", "No such command 'key'. Did you mean 'keys'?"),
    ("account list", "Did you mean 'accounts'?"),
    ("Keys list", "Did you mean 'keys'?"),
    ("log", "Did you mean 'logs'?"),
    ("explian x", "Did you mean 'explain'?"),
    ("codex", "Did you mean 'codex-config'?"),
    ("start", "Did you mean 'serve'?"),
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
]


@pytest.mark.parametrize(("typed", "words"), USAGE, ids=lambda one: one)
def test_what_cannot_be_meant_is_one_line_with_what_was_likely_meant(
    commands, typed, words
):
    done = commands(*typed.split())
    assert words in done.err
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("Error: ")
    assert not commands.data_dir.exists()  # nothing was begun
