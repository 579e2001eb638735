"""Whose encrypted items are known: each key's own, whatever the others have made."""

from gateway.turns.encrypted_items import EncryptedItems


def history(*contents, kind="reasoning"):
    return {"input": [{"type": kind, "encrypted_content": one} for one in contents]}


def test_one_key_pushes_out_nothing_of_others():
    sealed = EncryptedItems(most=100)
    for key_id in (1, None):
        sealed.note_item(key_id, history("mine")["input"][0], 7)
    for number in range(1_000):
        sealed.note_item(2, {"encrypted_content": f"flood {number}"}, 8)
    for key_id in (1, None):
        assert sealed.makers(key_id, history("mine")) == (None, 7)
        assert sealed.foreign_reasoning(key_id, history("x", "mine"), 8) == {1}


def test_one_key_s_items_bind_no_other_s_conversation():
    sealed = EncryptedItems()
    sealed.note_item(1, history("sealed", kind="compaction")["input"][0], 7)
    told = history("sealed", kind="compaction")
    assert sealed.makers(1, told) == (7, None)
    assert sealed.makers(2, told) == (None, None)
