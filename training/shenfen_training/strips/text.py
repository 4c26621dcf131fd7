"""What stands on a drawn strip: card text by its real frequency, and characters drawn flat so that rare ones are learned."""

from dataclasses import dataclass, field

import numpy as np

from ..cards import identity
from ..charset import charset, class_of, outsiders, usual

TRACKING = (-0.02, 0.10)
"""Usual space between characters in em."""


@dataclass
class StripText:
    """Classes in reading order, and what differs from plain setting.

    `start[i]` is where character i begins, in em from the start of the line, or NaN to follow the one before; `label[i]`
    marks a character printed with the form (年月日), smaller and in its lighter ink.
    """

    classes: np.ndarray
    number: bool = False
    start: np.ndarray | None = None
    label: np.ndarray | None = field(default=None)


def _encode(text: str) -> np.ndarray:
    known = class_of()
    return np.array([known[char] for char in text if char in known], np.int64)


_IS_HAN = np.array([ord(char) > 0x2E80 for char in charset()])
_HAN = np.flatnonzero(_IS_HAN[: len(usual())])
_RARE = np.arange(len(usual()), len(charset()))
_LATIN = _encode("0123456789" * 6 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "-.()·、#" * 3)


SEPARATOR = int(class_of()["·"])
"""The dot between the parts of a name: small, and every face gives it another place and width."""

_UNIFORM_SHARE = 0.4
"""The part of flat text in which every character stays as likely as any other, however easy it has become."""

_RARE_SHARE = 0.15
"""How many of the texts with strangers among their characters take these from beyond tier 2."""


class FlatHan:
    """Draws Han characters of some classes without regard to their frequency in text; the ones that are often misread come more
    often."""

    def __init__(self, classes: np.ndarray):
        self._classes = classes
        self._upto: np.ndarray | None = None

    def favour(self, difficulty: np.ndarray) -> None:
        """Takes over how hard each class is: its mean loss, [number of all classes]."""
        hard = difficulty[self._classes].astype(np.float64)
        # A few hopeless characters must not crowd out the rest.
        hard = np.minimum(hard, 20 * max(hard.mean(), 1e-6))
        shares = _UNIFORM_SHARE / len(hard) + (1 - _UNIFORM_SHARE) * hard / max(hard.sum(), 1e-6)
        self._upto = np.cumsum(shares / shares.sum())

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Classes [count]."""
        if self._upto is None:
            return self._classes[rng.integers(len(self._classes), size=count)]
        return self._classes[np.minimum(np.searchsorted(self._upto, rng.random(count)), len(self._classes) - 1)]


FLAT_HAN = FlatHan(_HAN)
FLAT_RARE = FlatHan(_RARE)
"""The ones that the texts of this process are drawn with: usual characters, and those beyond tier 2."""


def flat_han(rng: np.random.Generator, count: int) -> np.ndarray:
    """Usual Han characters, those seldom printed as often as common ones."""
    return FLAT_HAN.draw(rng, count)


def _flat(rng: np.random.Generator) -> StripText:
    classes = flat_han(rng, int(rng.integers(4, 13)))
    if rng.random() < 0.3:
        swap = rng.random(len(classes)) < 0.3
        classes[swap] = _LATIN[rng.integers(len(_LATIN), size=int(swap.sum()))]
    return StripText(classes)


def _rare(rng: np.random.Generator) -> StripText:
    """Characters beyond tier 2 among usual ones."""
    classes = flat_han(rng, int(rng.integers(2, 13)))
    swap = rng.random(len(classes)) < rng.uniform(0.2, 0.9)
    classes[swap] = FLAT_RARE.draw(rng, int(swap.sum()))
    return StripText(classes)


def _with_strangers(rng: np.random.Generator, classes: np.ndarray, share: float) -> np.ndarray:
    """Some characters replaced by unlikely ones: the reader must look, not guess from its neighbours."""
    swap = rng.random(len(classes)) < share
    drawn = FLAT_RARE.draw if rng.random() < _RARE_SHARE else flat_han
    classes[swap] = drawn(rng, int(swap.sum()))
    return classes


_OUTSIDERS = np.arange(len(charset()), len(charset()) + len(outsiders()))
_HELD_BACK_EVERY = 8
"""Every eighth outsider is never trained with."""
_OUTSIDER_SHARE = 0.12
"""How many lines with Han characters in the text get an outsider."""


def with_outsider(rng: np.random.Generator, text: StripText) -> StripText:
    """Some texts with one character replaced by one that is no class: the reader must learn that there are others."""
    han = np.flatnonzero(_IS_HAN[text.classes])
    if len(han) > 0 and text.label is None and rng.random() < _OUTSIDER_SHARE:
        choice = _OUTSIDERS[int(rng.integers(len(_OUTSIDERS)))]
        if (choice - len(charset())) % _HELD_BACK_EVERY:
            text.classes[int(rng.choice(han))] = choice
    return text


def held_back_outsider(rng: np.random.Generator) -> StripText:
    """A name with a character that is no class, and that training never sees."""
    classes = _encode(identity.random_name(rng))
    held_back = _OUTSIDERS[::_HELD_BACK_EVERY]
    classes[int(rng.integers(len(classes)))] = held_back[int(rng.integers(len(held_back)))]
    return StripText(classes)


def _address(rng: np.random.Generator) -> StripText:
    text = identity.random_address(rng)
    width = int(rng.integers(9, 14))
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    line = lines[int(rng.integers(len(lines)))]
    return StripText(_with_strangers(rng, _encode(line), 0.08))


def _name(rng: np.random.Generator) -> StripText:
    classes = _encode(identity.random_name(rng))
    classes = _with_strangers(rng, classes, 0.25 if rng.random() < 0.6 else 0.0)
    if rng.random() < 0.35 and len(classes) > 1:
        classes = np.insert(classes, int(rng.integers(1, len(classes))), SEPARATOR)
    if rng.random() < 0.06:
        # A long name goes on in a second line after the dot.
        classes = np.append(classes, SEPARATOR)
    return StripText(classes)


def _number(rng: np.random.Generator) -> StripText:
    if rng.random() < 0.15:
        text = "".join(rng.choice(list("0123456789"), size=17)) + str(rng.choice(list("0123456789X")))
    else:
        text = identity.random_identity_no(rng)
    return StripText(_encode(text), number=True)


def _authority(rng: np.random.Generator) -> StripText:
    return StripText(_with_strangers(rng, _encode(identity.random_authority(rng)), 0.05))


def _validity(rng: np.random.Generator) -> StripText:
    return StripText(_encode(identity.validity_text(*identity.random_validity(rng, identity.random_birth(rng)))))


def _birth(rng: np.random.Generator) -> StripText:
    """The digits float between the printed 年, 月 and 日, whose places are fixed on the form."""
    text = identity.birth_date_text(identity.random_birth(rng))
    classes = _encode(text)
    label = np.array([char in "年月日" for char in text])
    start = np.full(len(text), np.nan)
    if rng.random() < 0.85:
        scale = rng.uniform(0.9, 1.1)
        shift = rng.uniform(-0.25, 0.25, 5)
        places = iter((3.14, 4.56, 5.86, 7.42, 8.56) * np.full(5, scale) + shift)
        for at in range(4, len(text)):
            if label[at] or label[at - 1]:
                start[at] = next(places)
        if rng.random() < 0.5:
            # Digits centred between the labels rather than set from the left.
            for at in range(5, len(text) - 1):
                if label[at - 1] and label[at + 1]:
                    start[at] += 0.25
    return StripText(classes, start=start, label=label)


def _short(rng: np.random.Generator) -> StripText:
    if rng.random() < 0.4:
        return StripText(_encode("男" if rng.random() < 0.5 else "女"))
    text = identity.random_ethnic(rng)
    return StripText(_encode(text))


KINDS = (
    (_flat, 0.26), (_address, 0.22), (_name, 0.14), (_number, 0.08), (_authority, 0.05), (_validity, 0.05), (_birth, 0.05), (_short, 0.02),
    (_rare, 0.13),
)
_SHARES = np.cumsum([share for _, share in KINDS])


def random_text(rng: np.random.Generator) -> StripText:
    """The text of one strip."""
    while True:
        draw = KINDS[int(np.searchsorted(_SHARES, rng.random() * _SHARES[-1]))][0]
        text = draw(rng)
        if len(text.classes):
            return text
