"""Reports that no one has seen: legal markup at its most awkward, with what a reader sees of it known as it is made.

`Maker(seed).filing()` gives the bytes of a report and its truth: all that is visible in reading order, the headings,
the cells of its tables, and what its facts say. The truth is what was meant: it owes nothing to the code it judges.
"""

from __future__ import annotations

from dataclasses import dataclass

from made_markup import HIDE, SECRET, STYLES, Piece, Writer, joined

BLANKS = ("", " ", "&#160;", "\u3000", "<p> </p>", "<br/>", "<span></span>", "<!-- 9 -->")


@dataclass
class Filing:
    """The bytes of a report, and its truth."""

    data: bytes
    whole: Piece
    facts: dict[str, str]


class Maker(Writer):
    """Makes one report from a seed."""

    def paragraph(self) -> Piece:
        line = self.line()
        return joined(str(self.one_of(
            "<p>{}</p>", "<div>{}</div>", '<div><font face="Times">{}</font></div>', "<p class='seen'>{}</p>", "{}<hr/>",
            "<blockquote>{}</blockquote>", "<div><div><div>{}</div></div></div>", '<span style="display:block">{}</span>',
            "<center>{}</center>", "<p style='text-indent:1em;'>\n{}\n</p>",
        )).format(line.markup), [line])  # fmt: skip

    def heading(self) -> Piece:
        level, text = self.random.randint(2, 5), f"{self.count + 1}【{self.words()}】"
        self.count += 1
        inner = self.one_of(
            text, f"<span>{text}</span>", f"<b>{text[:2]}</b>{text[2:]}", f'<a name="h"></a>{text}', f"\n{text}\n"
        )
        return Piece(f"<h{level}>{inner}</h{level}>", [text], [(level, text)])

    def titled(self) -> Piece:
        """A heading that is a paragraph in bold, as the forms of the FSA have it."""
        self.count += 1
        level, text = self.one_of((2, f"第{self.count}【{self.words()}】"), (3, f"{self.count}【{self.words()}】"))
        markup = str(
            self.one_of(
                "<p style='font-weight:bold'>{}</p>", "<div class='h'><span>{}</span></div>", "<p><b>{}</b></p>"
            )
        )
        return Piece(markup.format(text), [text], [(level, text)])

    def listed(self, depth: int = 0) -> Piece:
        name, items = str(self.one_of("ul", "ol")), []
        for _ in range(self.random.randint(1, 3)):
            line = self.line()
            inner = [line]
            if depth < 2 and self.random.random() < 0.3:
                inner.append(self.one_of(self.listed, self.table)(depth + 1))
            items.append(joined(f"<li>{''.join(piece.markup for piece in inner)}</li>", inner))
        return joined(f"<{name}>{''.join(item.markup for item in items)}</{name}>", items)

    def cell(self) -> Piece:
        text = self.plain() if self.random.random() < 0.3 else self.number()
        other, shown, kind = self.number(), self.shown(text), self.random.randrange(8)
        if kind == 0:
            return Piece(f"{shown}<br/>{self.shown(other)}", [text, other])
        if kind == 1:
            return Piece(f"<p>{shown}</p><p>{self.shown(other)}</p>", [text, other])
        if kind == 2:
            return Piece(f"<ul><li>{shown}</li></ul>", [text])
        if kind == 3:
            return Piece(f"A|B{shown}", ["A|B", text])
        return Piece(f"\n {shown} \n", [text])

    def table(self, depth: int = 0) -> Piece:
        """A grid of cells, some of them merged, written as rows."""
        rows, columns = self.random.randint(1, 6), self.random.randint(1, 5)
        head = self.random.randint(0, rows - 1)
        owner = self._merged(rows, columns, head)
        grid = [["" for _ in range(columns)] for _ in range(rows)]
        lines, said = [], []
        for row in range(rows):
            cells = []
            if self.random.random() < 0.1:
                cells.append(
                    str(self.one_of("<td hidden='hidden'>{}</td>", "<td style='display:none;'>{}</td>")).format(SECRET)
                )
            for column in range(columns):
                if owner[row][column] != (row, column):
                    continue
                down = sum(owner[r][column] == (row, column) for r in range(row, rows))
                across = sum(place == (row, column) for place in owner[row])
                blank = self.random.random() < 0.15
                cell = Piece(str(self.one_of(*BLANKS))) if blank else self.cell()
                grid[row][column] = "".join(cell.said)
                said += cell.said
                ends = head if row < head else rows
                cells.append(
                    self._td(cell.markup, down, across, last=row + down == ends, edge=column + across == columns)
                )
            lines.append(f"<tr class='{self.one_of('seen', 'b')}'>{''.join(cells)}</tr>")
            if self.random.random() < 0.1:
                lines.append(f'<tr style="display:none"><td>{SECRET}</td><td>{SECRET}</td></tr>')
        caption = [self.plain()] if self.random.random() < 0.2 else []
        top, rest = "".join(lines[: self._at(lines, head)]), "".join(lines[self._at(lines, head) :])
        body = f"<thead>{top}</thead>" if head else ""
        foot = self.number()
        if self.random.random() < 0.15:
            body += f"<tfoot><tr><td colspan='{columns}'>{self.shown(foot)}</td></tr></tfoot>"
            grid.append([foot, *[""] * (columns - 1)])
            said.append(foot)
        body += f"<tbody>{rest}</tbody>" if head or self.random.random() < 0.5 else rest
        markup = f"<table border='1'>{''.join(f'<caption>{text}</caption>' for text in caption)}{body}</table>"
        return Piece(markup, [*caption, *said], [], _as_table(grid))

    @staticmethod
    def _at(lines: list[str], head: int) -> int:
        """The index in `lines` of the row after `head` visible rows."""
        seen = [index for index, line in enumerate(lines) if 'style="display:none"' not in line.partition(">")[0]]
        return 0 if head == 0 else seen[head] if head < len(seen) else len(lines)

    def _merged(self, rows: int, columns: int, head: int) -> list[list[tuple[int, int]]]:
        """For every place of a grid, the top left of the cell that covers it."""
        owner = [[(row, column) for column in range(columns)] for row in range(rows)]
        for _ in range(self.random.randint(0, 3)):
            top, left = self.random.randrange(rows), self.random.randrange(columns)
            most = head if top < head else rows
            bottom, right = self.random.randint(top, most - 1), self.random.randint(left, columns - 1)
            places = [(r, c) for r in range(top, bottom + 1) for c in range(left, right + 1)]
            if all(owner[r][c] == (r, c) and self._alone(owner, r, c) for r, c in places):
                for r, c in places:
                    owner[r][c] = (top, left)
        return owner

    @staticmethod
    def _alone(owner: list[list[tuple[int, int]]], row: int, column: int) -> bool:
        return sum(place == (row, column) for line in owner for place in line) == 1

    def _td(self, inner: str, down: int, across: int, *, last: bool, edge: bool) -> str:
        attributes = []
        if down > 1 or (last and self.random.random() < 0.1):
            attributes.append(f'rowspan="{self.one_of(down, down, 0, 65534, down + 40) if last else down}"')
        if across > 1:
            attributes.append(f'colspan="{self.one_of(across, across + 9, 2000) if edge else across}"')
        attributes.append(str(self.one_of("", 'scope="col"', "align='right'", 'style="white-space:nowrap"')))
        self.random.shuffle(attributes)
        name = self.one_of("td", "td", "th")
        return f"<{name} {' '.join(attributes)}>{inner}</{name}>"

    def statement(self) -> Piece:
        """Rows as reports to the SEC and TDnet have them: currencies, brackets, signs and per cents in their own cells."""
        around = self.one_of((("$", ""), ("$(", ")")), (("△", ""), ("", "")), (("", "%"),))
        rows, grid = [], []
        for _ in range(self.random.randint(2, 5)):
            label, line, cells = self.words(), [], []
            for _ in range(2):
                self.count += 1
                figure, (before, after) = f"{self.count + 1000:,}", self.random.choice(around)
                sign, bracket = before.rstrip("("), "(" * before.endswith("(")
                cells += [f"<td>{sign}</td><td>{bracket}{self.shown(figure)}</td><td>{after}</td>"]
                line.append(f"{before}{figure}{after}")
            rows.append(f"<tr><td>{label}</td>{''.join(cells)}</tr>")
            grid.append([label, *line])
        return Piece(f"<table>{''.join(rows)}</table>", [text for line in grid for text in line], [], _as_table(grid))

    def layout(self) -> Piece:
        """A table that only places things on the page: it holds tables and lists of its own."""
        pieces = [self.table(), self.paragraph(), self.listed(), self.statement()]
        self.random.shuffle(pieces)
        cells = "".join(f"<tr><td>{piece.markup}</td></tr>" for piece in pieces)
        return joined(f"<table>{cells}</table>", pieces)

    def block(self) -> Piece:
        return self.random.choice([
            self.paragraph, self.paragraph, self.listed, self.table, self.table, self.table, self.statement, self.layout,
            self.heading, self.titled, self.turn, self.hidden, self.noted, self.terms, self.typed,
        ])()  # fmt: skip

    def terms(self) -> Piece:
        pairs = [(self.words(), self.line()) for _ in range(self.random.randint(1, 3))]
        markup = "".join(f"<dt>{term}</dt><dd>{line.markup}</dd>" for term, line in pairs)
        return Piece(f"<dl>{markup}</dl>", [text for term, line in pairs for text in (term, *line.said)])

    def typed(self) -> Piece:
        """A table drawn with spaces, as old reports have it."""
        lines = [[self.words(), self.number(), self.number()] for _ in range(self.random.randint(2, 4))]
        hidden = f'<span style="display:none">{SECRET}</span>' * self.random.randint(0, 1)
        return Piece(
            f"<pre>{hidden}{chr(10).join('   '.join(line) for line in lines)}\n</pre>",
            [text for line in lines for text in line],
        )

    def turn(self) -> Piece:
        """The end of a page: its number, and a link to the contents."""
        self.count += 1
        said = [f"{self.count}", "Table of Contents"]
        return Piece(
            f"<div>{said[0]}</div><hr style='page-break-after:always'/><div><a href='#toc'>{said[1]}</a></div>", said
        )

    def hidden(self) -> Piece:
        inside = self.one_of(f"<b>{SECRET}1,234</b>", f"<i>△{self.fact(SECRET + '9')}</i>", SECRET)
        forms = [form for form in HIDE if "script" not in form and "!--" not in form]
        return Piece(str(self.one_of(*forms)).format(inside))

    def noted(self) -> Piece:
        """A text block of XBRL around several blocks, which goes on elsewhere."""
        self.count += 1
        inner = [self.paragraph(), self.block()]
        mark = f"c{self.count}"
        later, identified = self.line(), f'id="{mark}"'
        self.further.append(joined(f"<div>{self.tag('continuation', later.markup, identified)}</div>", [later]))
        attributes = ('name="jpcrp_cor:BusinessTextBlock"', 'contextRef="c"', 'escape="true"', f'continuedAt="{mark}"')
        return joined(self.tag("nonNumeric", "".join(piece.markup for piece in inner), *attributes), inner)

    def filing(self) -> Filing:
        facts = {"filer": f"架空{self.words().split()[0]}株式会社", "edinet_code": "E09999", "securities_code": "99990"}
        pieces = [self.paragraph(), *(self.block() for _ in range(self.random.randint(4, 14)))]
        pieces += self.further
        inline = "http://www.xbrl.org/2013/inlineXBRL"
        names = [f'xmlns:{self.prefix}="{inline}"', 'xmlns="http://www.w3.org/1999/xhtml"', 'xmlns:a="http://a"']
        self.random.shuffle(names)
        text = (
            f"<html {' '.join(names)}><head><title>x</title>{STYLES}</head><body>{self.header(facts)}"
            f"{''.join(piece.markup for piece in pieces)}</body></html>"
        )
        codec, declared = self.random.choice(
            (
                ("utf-8", "UTF-8"),
                ("utf-8-sig", "utf-8"),
                ("cp932", "Shift_JIS"),
                ("utf-16", "UTF-16"),
                ("euc_jp", "EUC-JP"),
            )
        )
        text = f'<?xml version="1.0" encoding="{declared}"?>\n{text}'
        data = "".join(c if _has(codec, c) else f"&#{ord(c)};" for c in text).encode(codec)
        return Filing(data, joined(text, pieces), facts)

    def header(self, facts: dict[str, str]) -> str:
        """The facts that no one sees, with pages of other things between their parts."""
        filer = facts["filer"]
        concepts = ('name="jpdei_cor:FilerNameInJapaneseDEI"', 'contextRef="c"')
        name = self.one_of(
            self.tag("nonNumeric", filer, *concepts),
            self.tag("nonNumeric", f"{filer[:2]}{self.tag('exclude', '12')}{filer[2:]}", *concepts),
        )
        codes = self.tag("nonNumeric", facts["edinet_code"], 'name="jpdei_cor:EDINETCodeDEI"', 'contextRef="c"')
        codes += self.tag("nonNumeric", facts["securities_code"], 'contextRef="c"', 'name="jpdei_cor:SecurityCodeDEI"')
        codes += self.tag("nonFraction", f"{SECRET}", 'name="a:b"', 'contextRef="c"', 'unitRef="JPY"')
        inside = self.tag("hidden", f"{name}{codes}")
        return str(self.one_of("<div style='display:none'>{}</div>", "{}")).format(self.tag("header", inside))


def _has(codec: str, character: str) -> bool:
    return character.isascii() or character.encode(codec, "ignore").decode(codec) == character


def _as_table(grid: list[list[str]]) -> list[list[list[str]]]:
    """The grid without blank rows and columns, where it has two of each left: else it is no table."""
    rows = [row for row in grid if any(row)]
    columns = [column for column in zip(*rows, strict=True) if any(column)]
    return [list(map(list, zip(*columns, strict=True)))] if len(rows) > 1 and len(columns) > 1 else []
