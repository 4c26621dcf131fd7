"""Made-up persons: the text that stands on a card, with its rules and its realistic shares.

Every value is drawn at random from frequency lists; nothing here comes from a real card.
"""

import csv
import gzip
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")

DATA = Path(__file__).resolve().parents[2] / "data"
CHECK_DIGITS = "10X98765432"
"""Check characters of ISO 7064 MOD 11-2 by remainder, as GB 11643-1999 lists them."""
FIRST_ISSUE = date(2004, 3, 29)
"""No second-generation card is older."""
LAST_ISSUE = date(2026, 6, 30)
MUNICIPALITIES = ("11", "12", "31", "50")
HAN_NUMERALS = "一二三四五六七八九十"


@dataclass(frozen=True)
class Person:
    """What both sides of one card say. `valid_to` is None for 长期. On a residence permit `ethnic` is empty; on other cards
    `permit_number` and `issue_count` are."""

    name: str
    gender: str
    ethnic: str
    birth_date: date
    address: str
    identity_no: str
    authority: str
    valid_from: date
    valid_to: date | None
    permit_number: str = ""
    """通行证号码: that of the travel permit with which its holder enters."""
    issue_count: str = ""
    """签发次数: the how manieth permit this is."""

    @property
    def is_permit(self) -> bool:
        """Whether this is a residence permit of a Hong Kong, Macao or Taiwan resident."""
        return self.identity_no[:2] in ("81", "82", "83")

    def fields(self, side: str) -> dict[str, str]:
        """The fields of `front` (portrait) or `back` (emblem), by the names of the reading result."""
        if side == "back":
            fields = {"authority": self.authority, "effectiveDate": validity_text(self.valid_from, self.valid_to)}
            permit = {"permitNumber": self.permit_number, "issueCount": self.issue_count} if self.is_permit else {}
            return fields | permit
        fields = {"identityNo": self.identity_no, "name": self.name, "gender": self.gender}
        if self.ethnic:
            fields["ethnic"] = self.ethnic
        return fields | {"birthDate": birth_date_text(self.birth_date), "birthPlace": self.address}


class Weighted(Generic[T]):
    """Items drawn by weight in constant time."""

    def __init__(self, items: Iterable[T], weights: Iterable[float]) -> None:
        self.items = list(items)
        total = np.cumsum(np.asarray(list(weights), np.float64))
        self.edges = (total / total[-1]).tolist()

    def draw(self, rng: np.random.Generator) -> T:
        return self.items[min(bisect_right(self.edges, rng.random()), len(self.items) - 1)]


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of `items`, all equally likely."""
    return items[int(rng.random() * len(items))]


def birth_date_text(day: date) -> str:
    """The birth date as printed: `1993年3月3日`."""
    return f"{day.year}年{day.month}月{day.day}日"


def validity_text(start: date, end: date | None) -> str:
    """The validity as printed: `2014.09.25-2034.09.25` or `2014.09.25-长期`."""
    last = "长期" if end is None else end.strftime("%Y.%m.%d")
    return f"{start.strftime('%Y.%m.%d')}-{last}"


def check_digit(digits: str) -> str:
    """Check character of the first 17 digits (ISO 7064 MOD 11-2; weight of place i is 2^(17-i) mod 11)."""
    return CHECK_DIGITS[sum(int(d) * pow(2, 17 - i, 11) for i, d in enumerate(digits)) % 11]


def _rows(name: str, delimiter: str = ",") -> Iterator[dict[str, str]]:
    path = DATA / name
    open_text = gzip.open if name.endswith(".gz") else open
    with open_text(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines, delimiter=delimiter)


# ---------------------------------------------------------------------------------------------- names

@cache
def _surnames() -> tuple[Weighted[str], list[str], list[str]]:
    rows = list(_rows("surnames.csv"))
    single = [r for r in rows if r["compound"] == "0"]
    common = Weighted([r["surname"] for r in single], [int(r["n_news"]) ** 0.8 + 1 for r in single])
    return common, [r["surname"] for r in single], [r["surname"] for r in rows if r["compound"] == "1"]


@cache
def _given_chars() -> tuple[tuple[Weighted[str], ...], list[str]]:
    """Characters as first, second and only one of a given name by frequency, and all of them."""
    rows = list(_rows("given_chars.csv"))
    chars = [r["char"] for r in rows]

    def by(column: str) -> Weighted[str]:
        return Weighted(chars, [float(r[column]) ** 0.75 for r in rows])

    return (by("news_first"), by("news_second"), by("news_single")), chars


@cache
def _rare_chars() -> list[str]:
    return [r["char"] for r in _rows("charset.csv") if r["sub"] == "L3" or (r["tier"] == "2" and r["char"] != "〇")]


@cache
def _name_parts(group: str, role: str, gender: str) -> Weighted[str]:
    rows = [r for r in _rows("minority_names.csv")
            if (r["group"], r["role"]) == (group, role) and r["gender"] in (gender, "a")]
    return Weighted([r["element"] for r in rows], [int(r["weight"]) for r in rows])


def _given_char(rng: np.random.Generator, column: int) -> str:
    chance = rng.random()
    if chance < 0.012:
        return pick(rng, _rare_chars())
    if chance < 0.12:
        return pick(rng, _given_chars()[1])
    return _given_chars()[0][column].draw(rng)


def _han_name(rng: np.random.Generator, birth_year: int) -> str:
    common, single, compound = _surnames()
    chance = rng.random()
    surname = pick(rng, compound) if chance < 0.01 else pick(rng, single) if chance < 0.07 else common.draw(rng)
    if chance > 0.99:  # both parents' surnames before the given name
        surname += common.draw(rng)
    one = np.interp(birth_year, [1930, 1960, 1970, 1980, 1995, 2008, 2020], [.05, .09, .16, .33, .37, .25, .1])
    if rng.random() < one:
        return surname + _given_char(rng, 2)
    first = _given_char(rng, 0)
    second = first if rng.random() < 0.015 else _given_char(rng, 1)
    return surname + first + second


def _dotted(rng: np.random.Generator, group: str, gender: str, extra: float) -> str:
    """Given name and father's name, at times the grandfather's too: 麦麦提·艾买提."""
    def part(sex: str) -> str:
        given = _name_parts(group, "given", sex).draw(rng)
        if group in ("uyghur", "kazakh") and rng.random() < 0.15:
            given += _name_parts(group, "suffix", sex).draw(rng)
        return given

    chance = rng.random()
    parts = [part(gender)]
    if chance > 0.07:
        parts.append(part("m"))
    if chance > 1 - extra:
        parts.append(part("m"))
    return "·".join(parts)


def _tibetan(rng: np.random.Generator, gender: str) -> str:
    parts = _name_parts("tibetan", "part", gender)
    first, second = parts.draw(rng), parts.draw(rng)
    return first if len(first) > 1 and rng.random() < 0.15 else first + second


def _yi(rng: np.random.Generator, gender: str) -> str:
    dot = "·" if rng.random() < 0.2 else ""
    return _name_parts("yi", "clan", gender).draw(rng) + dot + _name_parts("yi", "given", gender).draw(rng)


def _dai(rng: np.random.Generator, gender: str) -> str:
    return ("岩" if gender == "m" else "玉") + _name_parts("dai", "given", gender).draw(rng)


def _mongolian(rng: np.random.Generator, gender: str) -> str:
    given = _name_parts("mongolian", "given", gender)
    chance = rng.random()
    if chance < 0.1:
        return _surnames()[0].draw(rng) + given.draw(rng)
    return given.draw(rng) + "·" + given.draw(rng) if chance < 0.13 else given.draw(rng)


def _with_clan(group: str) -> Callable[[np.random.Generator, str], str]:
    def name(rng: np.random.Generator, gender: str) -> str:
        dot = "·" if rng.random() < 0.3 else ""
        given = _given_char(rng, 0) + (_given_char(rng, 1) if rng.random() < 0.7 else "")
        return _name_parts(group, "surname", gender).draw(rng) + dot + given

    return name


OWN_NAMES = {
    "维吾尔": (0.97, lambda rng, sex: _dotted(rng, "uyghur", sex, 0.05)),
    "乌孜别克": (0.95, lambda rng, sex: _dotted(rng, "uyghur", sex, 0.05)),
    "哈萨克": (0.97, lambda rng, sex: _dotted(rng, "kazakh", sex, 0.02)),
    "塔塔尔": (0.9, lambda rng, sex: _dotted(rng, "kazakh", sex, 0.02)),
    "柯尔克孜": (0.97, lambda rng, sex: _dotted(rng, "kirgiz", sex, 0.02)),
    "塔吉克": (0.97, lambda rng, sex: _dotted(rng, "tajik", sex, 0.05)),
    "俄罗斯": (0.5, lambda rng, sex: _dotted(rng, "russian", sex, 0.02)),
    "藏": (0.9, _tibetan), "门巴": (0.9, _tibetan), "珞巴": (0.8, _tibetan),
    "彝": (0.5, _yi), "傣": (0.7, _dai), "蒙古": (0.6, _mongolian),
    "达斡尔": (0.4, _with_clan("daur_evenki")), "鄂温克": (0.4, _with_clan("daur_evenki")),
    "满": (0.04, _with_clan("manchu_long")),
}
"""Nations with names of their own form: share of persons who bear one, and how to draw it."""


def random_name(rng: np.random.Generator, ethnic: str | None = None, gender: str | None = None,
                birth_year: int | None = None) -> str:
    """A full name; without `ethnic` the nation is drawn, too."""
    ethnic = random_ethnic(rng) if ethnic is None else ethnic
    sex = {"男": "m", "女": "f"}.get(gender or "") or pick(rng, "mf")
    share, own = OWN_NAMES.get(ethnic, (0.0, None))
    if own is not None and rng.random() < share:
        return own(rng, sex)
    return _han_name(rng, birth_year or int(rng.integers(1945, 2020)))


@cache
def _nations() -> Weighted[str]:
    rows = list(_rows("nations.csv"))
    weights = np.array([float(r["pop_2010"]) for r in rows]) ** 0.35
    weights /= weights.sum()
    # Half by flattened population, half even, so that the rarest is seen often enough to be learned.
    return Weighted([r["nation"] for r in rows], weights + 1 / len(rows))


def random_ethnic(rng: np.random.Generator) -> str:
    """A nation as printed, without 族: 汉 for about two in five, every one of the 58 often enough to be learned."""
    return "汉" if rng.random() < 0.35 else _nations().draw(rng)


# ---------------------------------------------------------------------------------------------- addresses

@dataclass(frozen=True)
class Places:
    """Divisions in force and the towns and villages below them."""

    names: dict[str, str]
    counties: list[str]
    towns: dict[str, list[tuple[str, tuple[str, ...]]]]


@cache
def _places() -> Places:
    names = {r["code"]: r["name"] for r in _rows("regions.csv") if not r["end"]}
    villages = {}
    with gzip.open(DATA / "villages.tsv.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            code, below = line.rstrip("\n").split("\t")
            villages[code] = tuple(below.split(" "))
    towns: dict[str, list] = {}
    for row in _rows("towns.csv.gz"):
        if row["county_code"] in names:
            towns.setdefault(row["county_code"], []).append((row["town"], villages.get(row["town_code"], ())))
    return Places(names, sorted(towns), towns)


@cache
def _words(kind: str) -> Weighted[str]:
    rows = [r for r in _rows("addr_words.csv.gz") if r["type"] == kind]
    return Weighted([r["word"] for r in rows], [float(r["n"]) ** 0.5 for r in rows])


@cache
def _patterns(part: str) -> Weighted[str]:
    rows = [r for r in _rows("addr_patterns.csv") if r["part"] == part and "{M}" not in r["pattern"]]
    return Weighted([r["pattern"] for r in rows], [float(r["weight"]) for r in rows])


@cache
def _place_chars() -> Weighted[str]:
    rows = [r for r in _rows("charset.csv") if r["n_place"] and r["tier"] in ("1", "2")]
    return Weighted([r["char"] for r in rows], [float(r["n_place"]) ** 0.6 for r in rows])


NATURAL_VILLAGE_ENDS = ("湾", "屯", "庄", "坪", "沟", "寨", "冲", "坝", "塘", "屋", "家湾", "家庄", "岭", "塆", "垸", "坑",
                        "垄", "坳", "咀", "堰", "圩", "岗", "店", "坡", "河", "口", "洼", "崖", "峪", "塬")
INSTITUTIONS = ("大学", "学院", "中学", "机械厂", "电厂", "铁路局", "医院", "有限公司")


def _natural_village(rng: np.random.Generator) -> str:
    first = _surnames()[0].draw(rng) if rng.random() < 0.6 else _place_chars().draw(rng)
    return first + pick(rng, NATURAL_VILLAGE_ENDS)


def _road(rng: np.random.Generator) -> str:
    chance = rng.random()
    if chance < 0.15:
        return _place_chars().draw(rng) + _place_chars().draw(rng) + _words("road_suffix").draw(rng)
    return _words("road").draw(rng)


def _small(rng: np.random.Generator, top: int) -> int:
    """1..top, small ones much more often."""
    return int(top ** rng.random())


def _room(rng: np.random.Generator) -> str:
    floor, door = _small(rng, 32), 1 + int(rng.random() * 12)
    chance = rng.random()
    return f"{floor}{door:02d}" if chance < 0.85 else str(1 + int(rng.random() * 60)) if chance < 0.95 else f"{floor:02d}{door:02d}"


def _token(rng: np.random.Generator, token: str, town: str, villages: Sequence[str]) -> str:
    match token:
        case "T":
            return town
        case "V":
            return pick(rng, villages) if villages and rng.random() < 0.85 else _words("village").draw(rng)
        case "R":
            return _road(rng)
        case "E":
            return _words("estate").draw(rng)
        case "K":
            return _words("community").draw(rng)
        case "h":
            return _natural_village(rng)
        case "n":
            return str(_small(rng, 999))
        case "m":
            return str(_small(rng, 200))
        case "b":
            return str(_small(rng, 60))
        case "u":
            return str(_small(rng, 9))
        case "r":
            return _room(rng)
        case "l":
            return str(_small(rng, 2000))
        case "c":
            return pick(rng, HAN_NUMERALS)
        case "S":
            return f"{_road(rng)}{_small(rng, 300)}号{_place_chars().draw(rng)}{_place_chars().draw(rng)}{pick(rng, INSTITUTIONS)}"
    raise ValueError(f"unknown token {token} in an address pattern")


def _fill(rng: np.random.Generator, pattern: str, town: str, villages: Sequence[str]) -> str:
    pieces = pattern.split("{")
    out = [pieces[0]]
    for piece in pieces[1:]:
        token, _, rest = piece.partition("}")
        value = _token(rng, token, town, villages)
        if token == "V" and rest.startswith("委会") and not value.endswith("村"):
            rest = rest.removeprefix("委会")
        if token == "b" and rest.startswith("座"):
            value = pick(rng, "ABCDEFGH")
        if token == "n" and rest.startswith(("组", "社", "队", "委", "区", "巷", "弄")):
            value = str(_small(rng, 30))
        out.append(value + rest)
    return "".join(out)


def _head(rng: np.random.Generator, county_code: str) -> str:
    names = _places().names
    province, city, county = (names.get(c, "") for c in (county_code[:2] + "0000", county_code[:4] + "00", county_code))
    if county_code[:2] in MUNICIPALITIES:
        return province + county
    if county_code.endswith("00") or county == city or "直辖" in city:
        city = ""
    pattern = _patterns("head").draw(rng)
    return "".join({"P": province, "C": city, "D": county}[t] for t in pattern if t in "PCD")


def random_address(rng: np.random.Generator, county_code: str | None = None) -> str:
    """An address as printed on a card, without line breaks; in `county_code` if given and known."""
    places = _places()
    if county_code not in places.towns:
        county_code = pick(rng, places.counties)
    town, villages = pick(rng, places.towns[county_code])
    urban_town = town.endswith(("街道", "区", "办事处"))
    county_is_district = places.names[county_code].endswith("区")
    urban = rng.random() < (0.85 if urban_town and county_is_district else 0.6 if urban_town else 0.18)
    tail = _fill(rng, _patterns("urban" if urban else "rural").draw(rng), town, villages)
    if rng.random() < 0.01:
        tail += f"（{_place_chars().draw(rng)}{_place_chars().draw(rng)}{pick(rng, ('小区', '集体户', '花园', '宿舍'))}）"
    return _head(rng, county_code) + tail


# ---------------------------------------------------------------------------------------------- numbers, authority, dates

@cache
def _number_codes() -> tuple[list[str], list[str]]:
    rows = [r for r in _rows("regions.csv")
            if r["code"][2:] != "0000" and r["code"][4:] not in ("00", "01") and r["src"] in ("A", "N", "P", "D")]
    now = [r["code"] for r in rows if not r["end"]]
    return now, [r["code"] for r in rows if r["end"]]


def random_county(rng: np.random.Generator) -> str:
    """Code of a county in force that has towns in our lists."""
    return pick(rng, _places().counties)


def random_identity_no(rng: np.random.Generator, birth: date | None = None, gender: str | None = None,
                       code: str | None = None) -> str:
    """A citizen number with a right check digit (GB 11643-1999); what is not given is drawn."""
    if code is None:
        now, retired = _number_codes()
        code = pick(rng, retired) if rng.random() < 0.2 else pick(rng, now)
    birth = birth or random_birth(rng)
    order = int(rng.random() * 500) * 2 + (gender == "男" if gender else rng.random() < 0.5)
    digits = f"{code}{birth.strftime('%Y%m%d')}{order:03d}"
    return digits + check_digit(digits)


def random_birth(rng: np.random.Generator) -> date:
    """A day of birth between 1930 and 2020, adults most often."""
    year = int(np.clip(rng.normal(1982, 17), 1930, 2020))
    return date(year, 1, 1) + timedelta(days=int(rng.random() * 365))


@cache
def _authorities() -> tuple[Weighted[str], dict[str, Weighted[str]]]:
    rows = list(_rows("authorities.txt.gz", "\t"))
    by_county: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_county.setdefault(row["county_code"], []).append(row)
    near = {code: Weighted([r["name"] for r in group], [float(r["weight"]) for r in group])
            for code, group in by_county.items()}
    return Weighted([r["name"] for r in rows], [float(r["weight"]) + 0.05 for r in rows]), near


def random_authority(rng: np.random.Generator, county_code: str | None = None) -> str:
    """An issuing authority; that of `county_code` if it is given and listed."""
    everywhere, near = _authorities()
    return near[county_code].draw(rng) if county_code in near else everywhere.draw(rng)


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)


def random_validity(rng: np.random.Generator, birth: date) -> tuple[date, date | None]:
    """First and last day: 5 years below 16, 10 below 26, 20 below 46, then without end."""
    earliest = max(FIRST_ISSUE, birth + timedelta(days=30))
    start = earliest + timedelta(days=int(rng.random() * max(1, (LAST_ISSUE - earliest).days)))
    age = start.year - birth.year - ((start.month, start.day) < (birth.month, birth.day))
    if age >= 46:
        return start, None
    return start, _years_later(start, 5 if age < 16 else 10 if age < 26 else 20)


def random_person(rng: np.random.Generator, permit_share: float = 0.02) -> Person:
    """One person whose fields agree with each other, as they do on a real card."""
    permit = rng.random() < permit_share
    gender = pick(rng, "男女")
    ethnic = "" if permit else random_ethnic(rng)
    birth = random_birth(rng)
    county = random_county(rng)
    code = pick(rng, ("810000", "820000", "830000")) if permit else county if rng.random() < 0.6 else None
    validity: tuple[date, date | None]
    if permit:
        start = max(date(2018, 9, 1), birth) + timedelta(days=int(rng.random() * 2000))
        validity = start, _years_later(start, 5)
    else:
        validity = random_validity(rng, birth)
    authority = random_authority(rng, county if rng.random() < 0.9 else None)
    person = Person(random_name(rng, ethnic or "汉", gender, birth.year), gender, ethnic, birth,
                    random_address(rng, county), random_identity_no(rng, birth, gender, code), authority, *validity)
    if not permit:
        return person
    number, count = _travel_permit(rng, person.identity_no)
    return replace(person, permit_number=number, issue_count=count)


def _travel_permit(rng: np.random.Generator, identity_no: str) -> tuple[str, str]:
    """Number and count of issues: H or M and eight digits for Hong Kong and Macao, older ones with the count in two more; eight digits for
    Taiwan."""
    letter = {"81": "H", "82": "M"}.get(identity_no[:2], "")
    count = min(1 + int(rng.geometric(0.6)), 12) if rng.random() < 0.5 else 1
    number = f"{letter}{int(rng.integers(10**8)):08d}"
    if letter and rng.random() < 0.1:
        number += f"{count:02d}"
    return number, f"{count:02d}" if rng.random() < 0.8 else str(count)
