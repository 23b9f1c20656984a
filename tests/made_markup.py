"""Text of a report in the most awkward legal markup, with what a reader sees of it known as it is made.

In: a seed. Out: `Piece`s: markup, and the truth about it. Everything hidden is marked with 秘.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from random import Random

SECRET = "秘"
WORDS = [
    "売上高",
    "営業利益",
    "当期純損失",
    "減価償却費",
    "のれん",
    "繰延税金資産",
    "従業員数",
    "設備の状況",
    "受取手形",
    "事業の内容",
    "研究開発費",
]
ENGLISH = ["revenue", "income", "assets", "goodwill", "interest", "cash", "employees", "segment", "lease"]
SIGNS = ("", "", "", "△", "▲", "－", "−", "–", "△ ", "▲\u3000", "¥", "$")
FULLWIDTH = str.maketrans("0123456789,.", "０１２３４５６７８９，．")
HIDE = (
    '<div style="display:none">{}</div>', "<p style='color:red; DISPLAY : none'>{}</p>", '<div hidden="hidden">{}</div>',
    '<span style="visibility:hidden">{}</span>', '<div class="a gone">{}</div>', '<p id="unseen">{}</p>',
    "<!-- {} -->", "<script>{}</script>", '<span class="off">{}</span>', "<ruby><rt>{}</rt></ruby>",
)  # fmt: skip
STYLES = (
    "<style>.gone, p.none { display: none } #unseen{display:none} /* .seen{display:none} */"
    " span.off{visibility:hidden}@media print { .seen { display: none } } .seen { color: blue }</style>"
)


@dataclass
class Piece:
    """Some markup, and its truth."""

    markup: str
    said: list[str] = field(default_factory=list)  # in reading order
    headings: list[tuple[int, str]] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)


def joined(markup: str, pieces: list[Piece]) -> Piece:
    """A piece of `markup` that holds `pieces`."""
    return Piece(
        markup,
        [text for piece in pieces for text in piece.said],
        [heading for piece in pieces for heading in piece.headings],
        [table for piece in pieces for table in piece.tables],
    )


class Writer:
    """Writes lines of text with figures in them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.count = 0
        self.prefix = self.random.choice(("ix", "ix", "i", "inline", "IX"))
        self.lenient = self.random.random() < 0.3  # what XML cannot read: entities of HTML, <br> left open
        self.further: list[Piece] = []  # text blocks that go on later in the report

    def one_of(self, *choices: object) -> object:
        return self.random.choice(choices)

    def number(self) -> str:
        """A figure that stands nowhere else in the report."""
        self.count += 1
        figure = (
            f"{self.count + 1000:,}" if self.random.random() < 0.7 else f"{self.count}.{self.random.randrange(10)}5"
        )
        figure = figure.translate(FULLWIDTH) if self.random.random() < 0.15 else figure
        return f"({figure})" if self.random.random() < 0.1 else f"{self.random.choice(SIGNS)}{figure}"

    def words(self) -> str:
        words = WORDS if self.random.random() < 0.8 else ENGLISH
        return " ".join(self.random.choice(words) for _ in range(self.random.randint(1, 3)))

    def plain(self) -> str:
        return f"{self.words()}は{self.number()}である"

    def tag(self, name: str, inner: str, *attributes: str) -> str:
        """An element of Inline XBRL with its attributes in any order."""
        listed = [item for item in attributes if item]
        self.random.shuffle(listed)
        return f"<{self.prefix}:{name} {' '.join(listed)}>{inner}</{self.prefix}:{name}>"

    def fact(self, inner: str, sign: str = "") -> str:
        """A numeric fact around a figure, or two, one in the other."""
        attributes = ['name="jppfs_cor:NetSales"', 'contextRef="CurrentYearDuration"', 'unitRef="JPY"', 'decimals="-6"',
                      'scale="6"', 'format="ixt:numdotdecimal"', sign and 'sign="-"']  # fmt: skip
        inner = self.tag("nonFraction", inner, *attributes)
        return self.tag("nonFraction", inner, *attributes[:-1]) if self.random.random() < 0.15 else inner

    def shown(self, text: str) -> str:
        """Markup that shows `text` on its line."""
        for sign in "△▲":
            if text.startswith(sign) and self.random.random() < 0.7:
                blank = text[1:].startswith((" ", "\u3000"))
                return sign + " " * blank + self.fact(self.disguised(text[1 + blank :]), sign)
        return (
            self.fact(self.disguised(text))
            if text[0].isdigit() and self.random.random() < 0.5
            else self.disguised(text)
        )

    def disguised(self, text: str) -> str:
        at = self.random.randrange(1, len(text)) if len(text) > 1 else 0
        before, after = html.escape(text[:at]), html.escape(text[at:])
        whole = before + after
        return str(
            self.one_of(
                whole, whole, whole,
                f"<span>{before}</span><span style='color:#000'>{after}</span>", f"{before}<b>{after}</b>",
                f'<a name="n"></a>{whole}', f'<a href="#toc">{whole}</a>', f"<font size='2'><i>{whole}</i></font>",
                f"{before}\u200b{after}", f"{before}&#8288;{after}", f"{before}<!-- 77 -->{after}", f"<ins>{before}</ins>{after}",
                f'{before}<span style="display:none">{SECRET}{self.count}</span>{after}',
                f'{self.tag("exclude", before)}{after}', f'<span class="seen">{whole}</span>',
                "".join(f"&#{ord(character)};" for character in text),
                f'<div style="display:inline">{before}</div><div style="display: inline">{after}</div>',
            )
        )  # fmt: skip

    def line(self) -> Piece:
        """A run of text with figures in it, and what stands between them."""
        said, pieces = [], []
        for _ in range(self.random.randint(1, 4)):
            words, figure = self.words(), self.number()
            said += [words, figure]
            pieces += [html.escape(words), self.gap(), self.shown(figure), self.aside(said)]
        return Piece("".join(pieces) + "。", [*said, "。"])

    def gap(self) -> str:
        gaps = [" ", "\n  ", "&#160;", "&#8201;", "\u3000", "<br/>", "："]
        return str(self.one_of(*gaps[:-1], *(["&nbsp;", "<br>", "&thinsp;"] if self.lenient else [])))

    def aside(self, said: list[str]) -> str:
        """What may follow a figure; what is visible of it is added to `said`."""
        note, kind = self.words(), self.random.randrange(12)
        if kind == 0:
            said.append(f"(注{self.count})")
            return f"<sup>{said[-1]}</sup>"
        if kind == 1:
            said.append(note)
            return f"<ruby>{note}<rp>（</rp><rt>{SECRET}よみ</rt><rp>）</rp></ruby>"
        if kind == 2:
            said.append(note)
            return self.tag("footnote", note, 'footnoteID="f1"')
        if kind == 3:
            return f'<img src="a{self.count}.png" alt="図"/>'
        if kind == 5:
            figures = [self.number().lstrip("△▲－−– \u3000") for _ in range(2)]
            said += figures  # the raised, lowered or broken one is not run into the next
            return str(self.one_of("<sub>{}</sub>{}", "<sup><a href='#n'>{}</a></sup><b>{}</b>", " {}<br/>{}",
                                   '<span style="display:block">{}</span><span style="display: block">{}</span>')).format(*figures)  # fmt: skip
        if kind == 6:
            said.append(note)
            return str(
                self.one_of(
                    f"{note[0]}<wbr/>{note[1:]}", f"<q>{note}</q>", f"<nobr>{note}</nobr>", f"<u><s>{note}</s></u>"
                )
            )
        if kind == 4:
            return str(self.one_of(*HIDE)).format(f"{SECRET}{self.random.randrange(9999)}")
        return " "
