"""Forms of pages as a browser without scripts sends them."""

from html.parser import HTMLParser

SIGN_OUT = "/dashboard/sign-out"  # a form of every page


class Forms(HTMLParser):
    """All forms of a page: each a list of names and values, as it would be sent."""

    def __init__(self, page):
        super().__init__()
        self.forms = []
        self._open = None
        self._select = None
        self._area = None
        self.feed(page.html)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if tag == "form":
            self._open = []
            self.forms.append((told.get("action"), self._open))
        elif self._open is None or "disabled" in told:
            return
        elif tag == "input" and "name" in told:
            is_box = told.get("type") in ("checkbox", "radio")
            if not is_box or "checked" in told:
                self._open.append((told["name"], told.get("value") or ""))
        elif tag == "select":
            self._select = [told["name"], None, False]
        elif tag == "option" and self._select is not None:
            self._option = told
            self._text = ""
        elif tag == "textarea":
            self._area = [told["name"], ""]

    def handle_data(self, data):
        if self._area is not None:
            self._area[1] += data
        elif self._select is not None:
            self._text += data

    def handle_endtag(self, tag):
        if tag == "form":
            self._open = None
        elif tag == "option" and self._select is not None:
            value = self._option.get("value", self._text.strip())
            if self._select[1] is None or "selected" in self._option:
                self._select[1] = value
        elif tag == "select" and self._select is not None:
            self._open.append((self._select[0], self._select[1] or ""))
            self._select = None
        elif tag == "textarea" and self._area is not None:
            self._open.append(tuple(self._area))
            self._area = None


def form_of(page, *, having="xsrf", number=0):
    """The fields of a page's form that has a field of that name."""
    found = [
        fields
        for action, fields in Forms(page).forms
        if action != SIGN_OUT and any(name == having for name, _ in fields)
    ]
    return list(found[number])


def filled(fields, **changes):
    """The same with other values; a list stands for as many fields."""
    kept = [(name, value) for name, value in fields if name not in changes]
    for name, value in changes.items():
        values = value if isinstance(value, list) else [value]
        kept += [(name, one) for one in values]
    return kept


async def send(browser, path, fields):
    """Send fields as they are; the answer's page."""
    return await browser._send("POST", path, fields, {})


async def fill(browser, path, *, having="xsrf", number=0, **changes):
    """Get a page, fill in its form, send it."""
    page = await browser.get(path)
    assert page.status == 200, page.text
    fields = form_of(page, having=having, number=number)
    return await send(browser, path, filled(fields, **changes))
