"""`run.py config check`."""

QUIET = {
    "GATEWAY_UPSTREAM_BASE_URL": "http://127.0.0.1:1",
    "GATEWAY_AUTH_BASE_URL": "http://127.0.0.1:1",
}


def test_every_wrong_setting_is_a_finding_and_nothing_else_is_tried(commands):
    done = commands(
        *("config", "check", "--json"),
        GATEWAY_PORT="http",
        GATEWAY_IDLE_TIMEOUT="-1",
        GATEWAY_PROT="1",
    )
    failed = [row["message"] for row in done.rows if row["level"] == "fail"]
    assert done.status == 1
    assert len(failed) == 3
    assert any(text.startswith("GATEWAY_PORT: ") for text in failed)


def test_an_upstream_is_told_without_its_password(commands):
    wrong = {"GATEWAY_UPSTREAM_BASE_URL": "http://u:sesame@127.0.0.1:1/x"}
    done = commands("config", "check", **QUIET | wrong)
    assert "http://127.0.0.1:1/ does not answer" in done.out
    assert "sesame" not in done.out + done.err


def test_a_price_list_that_cannot_be_used_is_a_finding(commands, tmp_path):
    file = tmp_path / "prices.json"
    file.write_text('{"models": [{"match": ["m"], "rates": [{"input": 1}]}]}')
    done = commands("config", "check", GATEWAY_PRICES=str(file), **QUIET)
    told = f"FAIL  prices: {file}: models[0].rates[0].output: is missing"
    assert (done.status, told in done.out) == (1, True)
    done = commands("serve", GATEWAY_PRICES=str(file))
    assert (done.status, done.err) == (1, f"Error: {told.partition('prices: ')[2]}\n")


def test_a_database_that_cannot_be_used_is_a_finding(commands):
    done = commands("config", "check", GATEWAY_DATABASE_URL="mysql://x/y", **QUIET)
    assert done.status == 1
    assert "FAIL  database: The database URL must begin" in done.out
    done = commands("config", "check", **QUIET)
    assert done.status == 0
    assert "egress proxy" not in done.out
    proxy = {"GATEWAY_EGRESS_PROXY": "socks5://u:sesame@127.0.0.1:1"}
    done = commands("config", "check", **QUIET, **proxy)
    told = "FAIL  egress proxy: socks5://127.0.0.1:1: The egress proxy cannot be"
    assert (done.status, told in done.out) == (1, True)
    assert "sesame" not in done.out
    assert "ok    database: can be used; 0 accounts" in done.out
