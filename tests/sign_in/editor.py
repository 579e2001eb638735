"""What an editor asks of the client's app-server to sign in."""

READ, LOGIN, CANCEL, CHANGED = (
    f"account/gatewayOAuth/{name}" for name in ("read", "login", "cancel", "changed")
)
USABLE = ("-c", 'model="gpt-5.5"')


async def shown_to_editor(editor):
    """The link of a sign-in that has begun."""
    while not (link := (await editor.told(CHANGED))["authUrl"]):
        pass
    return link
