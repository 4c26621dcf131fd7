"""Where everything stands on a card, in millimetres from its top left corner.

Positions and type sizes follow measurements of drawn re-creations (trust ±0.5 mm), so several basic layouts are drawn
from and each element is moved by far more than that.
"""

from dataclasses import dataclass, field

import numpy as np

from ..contract import CARD_MM
from ..fonts import installed
from .glyphs import SCRIPTS, Face, Typeface, number_size, random_number_face, random_song, random_typeface
from .identity import Person, pick, validity_text

WIDTH, HEIGHT = CARD_MM
CORNER = 3.18
"""Corner radius."""


@dataclass(frozen=True)
class Run:
    """Text set in one go: `x` is the pen's start, `y` the middle of the em box, `em` the size, all in mm.

    `size` scales the font against `em` (faces differ in how much of the em their digits fill); `ink` names the colour.
    """

    text: str
    x: float
    y: float
    em: float
    typeface: Typeface
    ink: str
    tracking: float = 0.0
    size: float = 1.0

    @property
    def end(self) -> float:
        """Where the pen stops."""
        return self.x + self.em * self.size * self.typeface.width(self.text, self.tracking)


@dataclass(frozen=True)
class TextLine:
    """One line of a field's value: its runs from left to right."""

    field: str
    runs: tuple[Run, ...]


@dataclass
class Design:
    """A side ready to be drawn: the labelled lines, other text, and boxes (x, y, w, h) for the artwork."""

    side: str
    lines: list[TextLine] = field(default_factory=list)
    printed: list[Run] = field(default_factory=list)
    portrait: tuple[float, float, float, float] | None = None
    emblem: tuple[float, float, float, float] | None = None
    wall: tuple[float, float, float, float] | None = None
    mark: Run | None = None


@dataclass(frozen=True)
class Sizes:
    """Type sizes in mm and the columns of one card."""

    value: float
    name: float
    number: float
    label: float
    pitch: float
    value_x: float
    line_width: float
    dx: float
    dy: float


def _sizes(rng: np.random.Generator) -> Sizes:
    value, name, number, label = pick(rng, ((2.72, 3.27, 3.3, 2.3), (3.18, 3.70, 3.80, 2.65), (3.0, 3.4, 3.6, 2.5),
                                            (2.9, 2.9, 3.3, 2.6), (3.18, 3.88, 3.6, 2.8)))
    scale = rng.uniform(0.85, 1.15)
    value = np.clip(value * scale, 2.45, 3.55)
    return Sizes(value, np.clip(name * scale * rng.uniform(0.95, 1.05), 2.6, 4.2),
                 np.clip(number * rng.uniform(0.9, 1.1), 3.0, 4.2), np.clip(label * rng.uniform(0.9, 1.1), 2.1, 3.0),
                 max(rng.uniform(3.9, 4.7), value * 1.17), 15.6 + rng.uniform(-1.2, 1.5),
                 min(rng.choice([29.9, 34.9, 32.0, 36.5]) * rng.uniform(0.95, 1.05), 37.5),
                 rng.uniform(-1.0, 1.0), rng.uniform(-1.0, 1.0))


def wrap(text: str, typeface: Typeface, em: float, width: float, by_count: int | None, tracking: float) -> list[str]:
    """The lines of an address or a long name: by count of characters, or as many as fit into `width` mm."""
    lines, line, used = [], "", 0.0
    for char in text:
        step = em * (typeface.advance(char) + tracking)
        full = len(line) >= by_count if by_count else used + step > width
        if line and full:
            lines.append(line)
            line, used = "", 0.0
        line += char
        used += step
    return [*lines, line] if line else lines


class _Setter:
    """Sets runs of one card: knows its faces and its jitter."""

    def __init__(self, rng: np.random.Generator, split: str):
        self.rng = rng
        self.split = split
        self.sizes = _sizes(rng)
        self.typeface = random_typeface(rng, split)
        self.label_face = self.typeface if rng.random() < 0.7 else random_typeface(rng, split)
        self.tracking = float(pick(rng, (0, 0, 0, 0.02, 0.04, 0.08)))
        self.shift = rng.uniform(0.1, 0.6)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A nominal place moved with the whole card and on its own."""
        s, shift = self.sizes, self.shift
        return x + s.dx + self.rng.uniform(-shift, shift), y + s.dy + self.rng.uniform(-shift, shift) * 0.7

    def value(self, text: str, x: float, y: float, em: float) -> Run:
        return Run(text, x, y, em, self.typeface, "value", self.tracking)

    def label(self, text: str, x: float, y: float, spread: float = 4.1) -> list[Run]:
        """A label of single letters `spread` mm apart, its em box centred on `y`."""
        em = self.sizes.label
        return [Run(char, x + i * max(spread, em), y, em, self.label_face, "label") for i, char in enumerate(text)]

    def script(self, x: float, y: float, length: int) -> Run:
        """A few letters of a second script, small, above a label or a value."""
        face: Face = pick(self.rng, installed(SCRIPTS))
        letters = {"ukij": "ئابپتجچخدرزژسشغفقكگڭلمنھوۇۆۈۋېىي", "noto-kr": "가나다라마바사성명주민등록민족출생주소"}
        alphabet = letters.get(face.name, "abcdeghijlmnorsuvwz")
        text = "".join(pick(self.rng, alphabet) for _ in range(length))
        return Run(text, x, y, self.sizes.label * 0.72, Typeface(face, face), pick(self.rng, ("label", "value")))


def front_design(person: Person, rng: np.random.Generator, split: str) -> Design:
    """The portrait side."""
    setter = _Setter(rng, split)
    design = Design("front")
    sizes = setter.sizes
    bilingual = rng.random() < 0.06
    rows = {"name": 11.1, "gender": 17.35, "birth": 23.55, "address": 29.95}
    if person.ethnic == "" or rng.random() < 0.1:
        stretch = rng.uniform(0.95, 1.05)
        rows = {key: 11.1 + (y - 11.1) * stretch for key, y in rows.items()}

    spread = pick(rng, (4.1, 4.1, 4.1, 3.4, 2.9))
    for text, x, row in (("姓名", 6.9, "name"), ("性别", 6.9, "gender"), ("出生", 6.9, "birth"), ("住址", 6.9, "address")):
        lx, ly = setter.at(x, rows[row])
        design.printed += setter.label(text, lx, ly, min(spread, (sizes.value_x + sizes.dx - lx - 1) / 2))
        if bilingual:
            design.printed.append(setter.script(lx, ly - 2.3, 5))

    _set_name(design, setter, person, rows["name"])
    _set_gender(design, setter, person, rows["gender"], spread)
    _set_birth(design, setter, person, rows["birth"])
    _set_address(design, setter, person, rows["address"])
    _set_number(design, setter, person)
    width, height = pick(rng, ((22.7, 30.4), (26.0, 32.0), (24.0, 30.0)))
    text_end = max(run.end for line in design.lines if line.field != "identityNo" for run in line.runs)
    x = max(rng.uniform(53.5, 56.5), text_end + 0.5)
    design.portrait = (x, rng.uniform(7.5, 10.0), min(width, 81.5 - x), height)
    design.mark = _mark(setter, x + 1, 25 + rng.uniform(-8, 8), min(width, 81.5 - x) - 2)
    return design


def _set_name(design: Design, setter: _Setter, person: Person, row: float) -> None:
    rng, sizes = setter.rng, setter.sizes
    x, y = setter.at(sizes.value_x, row)
    tracking = float(pick(rng, (0, 0, 0, 0.05, 0.15, 0.3))) if len(person.name) <= 3 else setter.tracking
    em = sizes.name
    room = 36.5
    width = setter.typeface.width(person.name, tracking)
    if em * width <= room:
        lines = [person.name]
    elif rng.random() < 0.6:
        em = min(em, 2.9, 1.9 * room / width)
        lines = wrap(person.name, setter.typeface, em, max(room * rng.uniform(0.6, 1), em * (width / 2 + 1)), None, tracking)
    else:
        em = room / width
        lines = [person.name]
    pitch = max(em * 1.08, 3.0)
    for i, text in enumerate(lines):
        run = Run(text, x, y + (i - (len(lines) - 1) / 2) * pitch, em, setter.typeface, "value", tracking)
        design.lines.append(TextLine("name", (run,)))


def _set_gender(design: Design, setter: _Setter, person: Person, row: float, spread: float) -> None:
    sizes = setter.sizes
    x, y = setter.at(sizes.value_x, row)
    design.lines.append(TextLine("gender", (setter.value(person.gender, x, y, sizes.value),)))
    if not person.ethnic:
        return
    lx, ly = setter.at(26.0 + setter.rng.uniform(-2.0, 1.5), row)
    design.printed += setter.label("民族", lx, ly, spread)
    nx = lx + spread + sizes.label + setter.rng.uniform(1.0, 2.2)
    design.lines.append(TextLine("ethnic", (setter.value(person.ethnic, nx, y, sizes.value),)))


def _set_birth(design: Design, setter: _Setter, person: Person, row: float) -> None:
    rng, sizes = setter.rng, setter.sizes
    x, y = setter.at(sizes.value_x, row)
    em, day = sizes.value, person.birth_date
    digits = setter.typeface
    if rng.random() < 0.3:
        digits = Typeface(digits.han, random_typeface(rng, setter.split).latin, digits.stretch, digits.latin_stretch)
    parts = ((str(day.year), "年"), (str(day.month), "月"), (str(day.day), "日"))
    if rng.random() < 0.15:  # set in one go, as some templates do
        run = setter.value("".join(a + b for a, b in parts), x, y, em)
        design.lines.append(TextLine("birthDate", (run,)))
        return
    label_em = sizes.label if rng.random() < 0.8 else em
    ink = "label" if rng.random() < 0.85 else "value"
    # Label places are fixed; the digits float between them, left or centred.
    centred = rng.random() < 0.6
    pitch = rng.uniform(0.92, 1.08)
    runs, left = [], x
    for (number, label), place, slack in zip(parts, (25.8, 34.7, 43.6), (0.5, 1.0, 1.0), strict=True):
        width = em * digits.width(number)
        place = max(15.6 + (place - 15.6) * pitch + sizes.dx + rng.uniform(-0.2, 0.2), left + width + 0.5)
        room = place - left - width
        start = left + (room / 2 if centred else min(slack, room / 3) * (label != "年")) * rng.uniform(0.7, 1.2)
        runs.append(Run(number, min(start, place - width - 0.2), y, em, digits, "value"))
        runs.append(Run(label, place, y, label_em, setter.label_face, ink))
        left = place + label_em + 0.2
    design.lines.append(TextLine("birthDate", tuple(runs)))


def _set_address(design: Design, setter: _Setter, person: Person, row: float) -> None:
    rng, sizes = setter.rng, setter.sizes
    x, y = setter.at(sizes.value_x, row)
    em = sizes.value
    by_count = int(pick(rng, (9, 10, 11, 11, 12))) if rng.random() < 0.4 else None
    width = min(sizes.line_width, 53.0 - x)
    lines = wrap(person.address, setter.typeface, em, width, by_count, setter.tracking)
    while len(lines) > (4 if rng.random() < 0.3 else 3) or x + max(
            em * setter.typeface.width(line, setter.tracking) for line in lines) > 53.5:
        em, by_count, width = em * 0.95, None, min(width * 1.03, 53.0 - x)
        lines = wrap(person.address, setter.typeface, em, width, by_count, setter.tracking)
    room = 44.6 + sizes.dy - sizes.number / 2 - em / 2 - y
    pitch = min(sizes.pitch, room / max(1, len(lines) - 1)) if len(lines) > 1 else sizes.pitch
    for i, text in enumerate(lines):
        design.lines.append(TextLine("birthPlace", (setter.value(text, x, y + i * pitch, em),)))


def _set_number(design: Design, setter: _Setter, person: Person) -> None:
    rng, sizes = setter.rng, setter.sizes
    lx, ly = setter.at(6.9, 46.3)
    label = setter.label("公民身份号码", lx, ly, rng.uniform(2.5, 2.9))
    design.printed += label
    face = random_number_face(rng, setter.split)
    typeface = Typeface(face, face)
    size = number_size(face)
    em = sizes.number
    tracking = rng.uniform(-0.01, 0.12)
    x = max(30.1 + sizes.dx + rng.uniform(-1.5, 1.5), label[-1].x + sizes.label + 1.2)
    room = 80.5 - x
    tracking = min(tracking, (room / em / size - typeface.width(person.identity_no)) / 18)
    y = ly + rng.uniform(-0.5, 0.3)
    design.lines.append(TextLine("identityNo", (Run(person.identity_no, x, y, em, typeface, "number", tracking, size),)))


def back_design(person: Person, rng: np.random.Generator, split: str) -> Design:
    """The emblem side."""
    setter = _Setter(rng, split)
    sizes = setter.sizes
    design = Design("back")
    song = random_song(rng) if rng.random() < 0.85 else setter.typeface.han
    title = Typeface(song, song)
    for text, x, y, em, pitch in (("中华人民共和国", 30.2, 9.0, rng.uniform(4.4, 5.4), 6.67),
                                  (_title(person), 26.2, 18.5, rng.uniform(6.2, 7.8), 11.3)):
        pitch *= rng.uniform(0.93, 1.03) * (5 / len(text) if em > 6 else 1)
        x, y = setter.at(x, y)
        design.printed += [Run(char, x + i * pitch, y, em, title, "title") for i, char in enumerate(text)]
    if rng.random() < 0.06:
        design.printed.append(setter.script(32, 5, 24))
        design.printed.append(setter.script(21 + sizes.dx, 37.4, 8))

    _set_back_rows(design, setter, person)
    ex, ey = setter.at(6.0, 6.0)
    size = rng.uniform(14.0, 17.0)
    design.emblem = (ex, ey, size, size * rng.uniform(0.98, 1.1))
    design.wall = (rng.uniform(3, 12), rng.uniform(22, 27), rng.uniform(50, 68), rng.uniform(16, 22))
    lowest = 29.0 if person.is_permit else 33.5
    design.mark = _mark(setter, rng.uniform(6, 40), rng.uniform(26.5 if person.is_permit else 27.5, lowest), rng.uniform(20, 34))
    return design


def _set_back_rows(design: Design, setter: _Setter, person: Person) -> None:
    """The labelled rows, from top to bottom. Where those of a permit stand is not known, so they stand in any usual order."""
    rng, sizes = setter.rng, setter.sizes
    em = np.clip(sizes.value * rng.uniform(0.88, 1.06), 2.4, 3.5)
    label_spread = rng.uniform(2.6, 2.95)
    value_x = 34.9 + rng.uniform(-1.2, 1.5)
    gap = 6.5 * rng.uniform(0.85, 1.1)
    ink = pick(rng, ("title", "title", "value", "label"))
    lx, ly = setter.at(20.5, 39.8)
    rows = [("authority", person.authority, "签发机关"),
            ("effectiveDate", validity_text(person.valid_from, person.valid_to), "有效期限")]
    beside = None
    if person.is_permit:
        em, gap = min(em, 2.9), rng.uniform(4.0, 5.0)
        permit = [("permitNumber", person.permit_number, "通行证号码"), ("issueCount", person.issue_count, "签发次数")]
        beside = permit.pop() if rng.random() < 0.35 else None
        rows = permit + rows if rng.random() < 0.4 else rows + permit
        ly = setter.at(20.5, 50.5)[1] - gap * (len(rows) - 1)
    for i, (name, text, label) in enumerate(rows):
        y = ly + i * gap
        end = _set_back_row(design, setter, (name, text, label), (lx, y), label_spread, value_x, em, ink)
        if name == "permitNumber" and beside is not None:
            _set_back_row(design, setter, beside, (end + rng.uniform(2.0, 4.0), y), min(label_spread, 2.7), 0.0, em, ink)


def _set_back_row(design: Design, setter: _Setter, row: tuple[str, str, str], at: tuple[float, float], label_spread: float,
                  value_x: float, em: float, ink: str) -> float:
    """A label and, from `value_x` on or behind the label, its value; where the value ends."""
    (name, text, label), (x, y), rng = row, at, setter.rng
    runs = setter.label(label, x, y, label_spread)
    design.printed += [Run(r.text, r.x, r.y, r.em, r.typeface, ink) for r in runs]
    x = max(value_x + setter.sizes.dx + rng.uniform(-0.2, 0.2), runs[-1].x + setter.sizes.label + 0.8)
    _set_back_value(design, setter, name, text, x, y + rng.uniform(-0.25, 0.25), em)
    return max(run.end for run in design.lines[-1].runs)


def _set_back_value(design: Design, setter: _Setter, name: str, text: str, x: float, y: float, em: float) -> None:
    """One line; a long authority is set smaller or over two lines."""
    room = 82.5 - x
    width = setter.typeface.width(text, setter.tracking)
    if em * width > room:
        em = max(em * 0.8, room / width)
    if em * width <= room * 1.001:
        design.lines.append(TextLine(name, (setter.value(text, x, y, em),)))
        return
    em = min(em, 2.7)
    for i, part in enumerate(wrap(text, setter.typeface, em, room, None, setter.tracking)):
        design.lines.append(TextLine(name, (setter.value(part, x, y - em * 1.1 * (1 - i), em),)))


def _title(person: Person) -> str:
    if not person.is_permit:
        return "居民身份证"
    return "台湾居民居住证" if person.identity_no.startswith("83") else "港澳居民居住证"


def _mark(setter: _Setter, x: float, y: float, width: float) -> Run:
    """SPECIMEN, as wide as `width`, where no value stands."""
    face = setter.typeface.latin
    typeface = Typeface(face, face)
    em = width / typeface.width("SPECIMEN")
    return Run("SPECIMEN", x, y, em, typeface, "mark")
