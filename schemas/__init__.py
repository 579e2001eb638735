"""What a client may send: shapes, rules, and how a request is changed.

`requests` is the way in. It has `normalize` apply a surface's rules (`tools`,
`items` and `messages` are its parts) and the marshmallow schemas of `responses`,
`compact` and `chat` say what is wrong. Nothing here imports anything of ours.
"""
