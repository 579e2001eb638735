"""Windows are what they are: any length in any place, and limits of some models."""

import time

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.serving import until

WEEK, DAY, FIVE_HOURS = 604_800, 86_400, 18_000
USAGE = "/backend-api/wham/usage"


def window(used, seconds):
    resets_at = int(time.time()) + seconds // 2
    return {
        "used_percent": used,
        "limit_window_seconds": seconds,
        "reset_after_seconds": seconds // 2,
        "reset_at": resets_at,
    }


def polled(primary, secondary=None, *named):
    """What upstream answers to the poll of an account's usage."""
    return ScriptedResponse.json(
        {
            "plan_type": "pro",
            "rate_limit": {
                "allowed": True,
                "limit_reached": False,
                "primary_window": primary,
                "secondary_window": secondary,
            },
            "additional_rate_limits": [
                {
                    "limit_name": name,
                    "metered_feature": id,
                    "rate_limit": {"primary_window": of_models},
                }
                for id, name, of_models in named
            ],
        }
    )


async def poll(serving, answer):
    serving.upstream.answer(answer, route="usage")
    await serving.gateway.usage.poll(serving.account("one"))


def lengths(limit):
    """Seconds of the primary and the secondary window of `/status`."""
    places = [limit[f"{name}_window"] for name in ("primary", "secondary")]
    return [one and one["limit_window_seconds"] for one in places]


@pytest.mark.accounts("one")
@pytest.mark.gen_test
async def test_a_weekly_window_may_stand_first(serving):
    await poll(serving, polled(window(10, FIVE_HOURS), window(20, WEEK)))
    await poll(serving, polled(window(30, WEEK)))
    assert list(serving.account("one").windows) == ["primary"]  # not there twice
    told = (await serving.get(USAGE)).json["rate_limit"]
    assert lengths(told) == [WEEK, None]
    assert told["primary_window"]["used_percent"] == 30
    assert serving.account("one").weekly_left(time.time()) == pytest.approx(0.7)


@pytest.mark.accounts("one")
@pytest.mark.gen_test
async def test_limits_of_some_models_are_shown_and_limit_no_other(serving):
    spark = ("codex_spark", "GPT-Spark", window(100, DAY))
    await poll(serving, polled(window(10, WEEK), None, spark))
    (told,) = (await serving.get(USAGE)).json["additional_rate_limits"]
    assert (told["limit_name"], told["metered_feature"]) == ("GPT-Spark", "codex_spark")
    assert lengths(told["rate_limit"]) == [DAY, None]
    assert told["rate_limit"]["limit_reached"] is True
    account = serving.account("one")
    assert not account.is_draining(time.time())
    assert account.health.status(time.time()).value == "active"
    assert (await serving.ask()).status == 200
    await poll(serving, polled(window(10, WEEK)))
    assert account.named_windows == {}


@pytest.mark.accounts("one")
@pytest.mark.gen_test
async def test_headers_tell_of_them_too(serving, upstream):
    headers = {
        "x-codex-primary-used-percent": "40",
        "x-codex-primary-window-minutes": str(WEEK // 60),
        "x-codex-spark-limit-name": "GPT-Spark",
        "x-codex-spark-secondary-used-percent": "100",
        "x-codex-spark-secondary-window-minutes": str(DAY // 60),
        "x-codex-spark-secondary-reset-at": str(int(time.time()) + DAY),
    }
    turn = ScriptedTurn().text("hi").completed().answer(headers=headers)
    upstream.answer(turn)
    assert (await serving.ask()).status == 200
    (seen,) = serving.account("one").named_windows.values()
    assert seen.window[:3] == ("codex_spark secondary", 100.0, DAY // 60)
    assert serving.account("one").health.status(time.time()).value == "active"


@pytest.mark.accounts("one")
@pytest.mark.gen_test
async def test_an_event_about_such_a_limit_is_not_about_the_account(serving, upstream):
    event = {
        "type": "codex.rate_limits",
        "metered_limit_name": "codex_spark",
        "limit_name": "GPT-Spark",
        "rate_limits": {"primary": {"used_percent": 100, "window_minutes": 1440}},
    }
    upstream.answer(ScriptedTurn().event(event).text("hi").completed().answer())
    assert (await serving.ask()).status == 200
    account = serving.account("one")
    await until(lambda: account.named_windows)
    assert account.named_windows["codex_spark primary"].window.limit == "GPT-Spark"
    assert "primary" not in account.windows or (
        account.windows["primary"].window.used_percent < 100
    )


@pytest.mark.accounts("one")
@pytest.mark.gen_test
async def test_odd_limits_of_some_models_are_bounded(serving):
    many = [(f"codex_{n}", "x" * 500, window(1, DAY)) for n in range(100)]
    odd = [("", None, None), ("A b\n", "\x1b[2J", window(1, 60))]
    await poll(serving, polled(window(10, WEEK), None, *odd, *many))
    named = serving.account("one").named_windows
    assert 0 < len(named) <= 16
    assert all(len(seen.window.limit) <= 64 for seen in named.values())
    assert all(seen.window.limit.isprintable() for seen in named.values())
