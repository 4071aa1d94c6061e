"""A page as a reader has it: its words, titles and links; and that it is whole and stands for itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """The page's words and links; every element is closed, no id is there twice, nothing is loaded or run."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.ids, self.titles = [], [], [], []
        self.links, self.outside = [], []
        self.feed(text)
        assert not self.open
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if tag == "a" else []
        assert tag not in ("script", "link", "iframe")
        for key in ("src", "href", "xlink:href"):
            if not values.get(key, "#").startswith(("#", "data:")):
                self.outside.append(values[key])
        assert not values.get("src", "data:").startswith(("http", "//"))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] == "h2":
            self.titles.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))
