"""Who is dead: nobody who beat lately, and everybody silent for long enough."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.cluster.silence import (
    BEAT_SECONDS,
    DEATH_SECONDS,
    MOST_BETWEEN_LOOKS,
    SPEND_SECONDS,
    MemberSilence,
)

# Seconds until the next look, and how many beats each of two members adds till then.
LOOKS = st.lists(
    st.tuples(st.floats(0.1, 40.0), st.integers(0, 1), st.integers(0, 1)), max_size=60
)


@given(LOOKS)
def test_who_is_called_dead_was_seen_silent_for_long_enough(looks):
    silence, now, beats = MemberSilence(), 100.0, {1: 0, 2: 0}
    changed_at, looked_at, unbroken_since = {1: now, 2: now}, now, now
    silence.look(beats, now)
    for pause, *more in looks:
        now += pause
        if pause > MOST_BETWEEN_LOOKS:
            unbroken_since = now
        for id, added in zip(beats, more, strict=True):
            beats[id] += added
            changed_at[id] = now if added else changed_at[id]
        dead = silence.look(dict(beats), now)
        silent_since = {id: max(at, unbroken_since) for id, at in changed_at.items()}
        expected = {id for id, at in silent_since.items() if now - at >= DEATH_SECONDS}
        assert dead == expected
        looked_at = now
    assert looked_at == now


def test_one_that_comes_back_and_one_that_is_gone_are_begun_anew():
    silence = MemberSilence()
    for now in range(0, 20, 2):
        assert not silence.look({1: 5}, now)
    silence.look({}, 20)
    for now in range(22, 46, 2):
        assert not silence.look({1: 5}, now)
    assert silence.look({1: 5}, 47) == {1}


def test_a_member_stops_spending_well_before_the_others_may_take_over():
    """A beat may take as long to be written and seen as lies in between."""
    assert SPEND_SECONDS + BEAT_SECONDS < DEATH_SECONDS
    assert MOST_BETWEEN_LOOKS < SPEND_SECONDS
