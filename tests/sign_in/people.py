"""People at a real Chromium, who are told by the words of the pages what to do."""

import json
from pathlib import Path

SCRIPT = Path(__file__).with_name("people.mjs")
PASSWORD = "correct horse battery"


class People:
    """One Chromium, in which each person has a browser of their own."""

    def __init__(self, site):
        self._site = site
        self._process = None
        self.said = []  # on the console, of our pages

    async def start(self):
        self._process = await self._site.browse(SCRIPT)

    async def stop(self):
        if self._process is not None:
            await self._process.communicate(b"")

    def __call__(self, name):
        return Person(self, name)

    async def tell(self, **line):
        """What somebody sees after it."""
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        seen = json.loads(await self._process.stdout.readline())
        assert "error" not in seen, (line, seen)
        self.said += seen.pop("said")
        return seen


class Person:
    """Each method gives what the page says then: url, heading, text."""

    def __init__(self, people, name):
        self._people, self.name = people, name

    async def _do(self, action, **more):
        return await self._people.tell(who=self.name, does=action, **more)

    async def open(self, url, until=None):
        """`until`: the heading of where it leads by itself."""
        return await self._do("open", url=url, until=until)

    async def fill(self, **fields):
        """`fields`: texts by label, with _ for spaces."""
        for label, text in fields.items():
            seen = await self._do("fill", label=label.replace("_", " "), text=text)
        return seen

    async def press(self, name):
        return await self._do("press", name=name)

    async def follow(self, name):
        return await self._do("follow", name=name)

    async def follow_in_a_chat(self, url, until):
        return await self._do("chat", url=url, until=until)

    async def frame(self, url):
        """How many forms are seen in a frame of another site's page."""
        return (await self._do("frame", url=url))["framed"]

    async def code(self, has):
        """The text of a block of code."""
        return (await self._do("code", has=has))["code"]

    async def judge(self):
        """What is wrong with the page for axe, or on a telephone."""
        return (await self._do("judge"))["faults"]

    async def picture(self, most=900):
        """As base64 of WebP, by colour scheme; of so many pixels' height at most."""
        return (await self._do("picture", most=most))["pictures"]

    # What takes several pages.

    async def become_owner(self, link):
        await self.open(link, "The first user")
        await self.fill(Your_name=self.name)
        return await self._set_password()

    async def accept(self, link):
        """Follow an invitation to the own page."""
        await self.open(link, f"A password for {self.name}")
        await self._set_password()
        await self.fill(Password=PASSWORD)
        return await self.press("Sign in")

    async def _set_password(self):
        await self.fill(Password=PASSWORD, The_same_once_more=PASSWORD)
        return await self.press("Set the password")
