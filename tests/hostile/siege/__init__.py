"""All attackers at once, beside twenty keys that only take turns.

`attackers` is what they do, as data; the module itself is their process, of lower
priority. `script` is what upstream answers to them, `others` whom nobody may disturb.
"""
