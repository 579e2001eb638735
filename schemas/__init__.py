"""Client payloads: their schemas, and the rules by which they are changed.

`request` is the entry point. The schemas of `responses` and `chat` validate;
`normalize` applies a surface's rules, of which `tools`, `items` and `messages` are
parts. Nothing here imports any other package of the gateway.
"""
