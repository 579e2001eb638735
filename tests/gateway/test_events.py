"""Topics: who subscribes hears of every event, whatever the others do."""

import logging

from gateway.events import Topic


def test_every_subscriber_is_called_in_the_order_it_came():
    topic, heard = Topic(), []
    topic.subscribe(lambda event: heard.append(("first", event)))
    topic.subscribe(lambda event: heard.append(("second", event)))
    topic.publish("one")
    topic.publish("two")
    assert heard == [
        (subscriber, event)
        for event in ("one", "two")
        for subscriber in ("first", "second")
    ]


def test_a_subscriber_that_fails_harms_nobody_and_is_logged(caplog):
    topic, heard = Topic(), []

    def fail(event):
        raise ValueError(event)

    topic.subscribe(fail)
    topic.subscribe(heard.append)
    with caplog.at_level(logging.ERROR, "gateway.events"):
        topic.publish("one")
    assert heard == ["one"]
    assert "ValueError: one" in caplog.text


def test_a_method_subscribes_once_and_leaves_at_once():
    topic, heard = Topic(), []
    topic.subscribe(heard.append)
    topic.subscribe(heard.append)
    topic.publish("one")
    topic.unsubscribe(heard.append)
    topic.unsubscribe(print)
    topic.publish("two")
    assert heard == ["one"]
    assert not topic.has_subscribers


def test_a_subscriber_may_leave_while_it_is_called():
    topic, heard = Topic(), []

    def once(event):
        heard.append(event)
        topic.unsubscribe(once)

    topic.subscribe(once)
    topic.subscribe(heard.append)
    topic.publish("one")
    topic.publish("two")
    assert heard == ["one", "one", "two"]
