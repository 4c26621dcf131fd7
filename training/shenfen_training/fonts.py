"""The faces that text is drawn with, all of them free, and which are held back for validation.

README.md has the lines that install them. Values on a card are set in a Hei face (SimHei, STXihei) and the number in
OCR-B; neither is free, so the training faces bracket them in weight and drawing, and the validation faces are others.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fontTools.ttLib import TTCollection, TTFont

FONT_ROOT = Path("/usr/share/fonts")


@dataclass(frozen=True)
class Face:
    """One face: a name for logs, the file below FONT_ROOT, its index in a collection, its share in drawn text, and
    whether its level strokes are hairlines."""

    name: str
    file: str
    index: int = 0
    share: float = 1.0
    serif: bool = False

    @property
    def path(self) -> Path:
        return FONT_ROOT / self.file

    @property
    def installed(self) -> bool:
        return self.path.exists()


_NOTO = "opentype/noto/NotoSansCJK-{}.ttc"
_PLEX = "opentype/ibm-plex-sans-sc/IBMPlexSansSC-{}.woff"
_HARMONY = "truetype/harmonyos-sans-sc/HarmonyOS_Sans_SC_{}.ttf"
# Index 2 of a Noto collection is the simplified-Chinese face; 0 would be the Japanese one.
HAN_TRAIN = (
    Face("noto-light", _NOTO.format("Light"), 2, 1.0),
    Face("noto-demilight", _NOTO.format("DemiLight"), 2, 1.3),
    Face("noto-regular", _NOTO.format("Regular"), 2, 1.5),
    Face("noto-medium", _NOTO.format("Medium"), 2, 1.2),
    Face("noto-bold", _NOTO.format("Bold"), 2, 0.6),
    Face("wqy-microhei", "truetype/wqy/wqy-microhei.ttc", 0, 3.0),
    Face("ipa-gothic", "opentype/ipafont-gothic/ipag.ttf", 0, 0.8),
    Face("vl-gothic", "truetype/vlgothic/VL-Gothic-Regular.ttf", 0, 0.6),
    Face("motoya-cedar", "truetype/motoya-l-cedar/MTLc3m.ttf", 0, 0.5),
    Face("baekmuk-dotum", "truetype/baekmuk/dotum.ttf", 0, 0.4),
    Face("noto-serif", "opentype/noto/NotoSerifCJK-SemiBold.ttc", 2, 0.4, True),
    Face("lxgw-wenkai", "truetype/lxgw-wenkai/LXGWWenKai-Regular.ttf", 0, 0.4),
    Face("lxgw-wenkai-bold", "truetype/lxgw-wenkai/LXGWWenKai-Bold.ttf", 0, 0.4),
    Face("uming", "truetype/arphic/uming.ttc", 0, 0.4, True),
    Face("babelstone-han", "truetype/babelstone/BabelStoneHan.ttf", 0, 0.3),
    Face("plex-light", _PLEX.format("Light"), 0, 1.0),
    Face("plex-regular", _PLEX.format("Regular"), 0, 1.8),
    Face("plex-medium", _PLEX.format("Medium"), 0, 1.0),
    Face("plex-semibold", _PLEX.format("SemiBold"), 0, 0.5),
    Face("harmonyos-light", _HARMONY.format("Light"), 0, 0.8),
    Face("harmonyos-regular", _HARMONY.format("Regular"), 0, 1.6),
    Face("harmonyos-medium", _HARMONY.format("Medium"), 0, 1.0),
    Face("harmonyos-bold", _HARMONY.format("Bold"), 0, 0.4),
    Face("smiley-sans", "truetype/smiley-sans/SmileySans-Oblique.ttf", 0, 0.4),
    Face("cwtex-hei", "truetype/cwtex/cwheib.ttf", 0, 0.4),
    Face("biz-ud-gothic", "truetype/bizud-gothic/BIZUDGothic-Regular.ttf", 0, 0.6),
    Face("biz-ud-gothic-bold", "truetype/bizud-gothic/BIZUDGothic-Bold.ttf", 0, 0.3),
    Face("migu", "truetype/migmix/migu-1m-regular.ttf", 0, 0.4),
    Face("ume-gothic", "truetype/horai-umefont/ume-tgo4.ttf", 0, 0.4),
    Face("motoya-maruberi", "truetype/motoya-l-maruberi/MTLmr3m.ttf", 0, 0.3),
    Face("nanum-gothic", "truetype/nanum/NanumGothic.ttf", 0, 0.3),
    Face("klee", "truetype/klee/KleeOne-SemiBold.ttf", 0, 0.3),
    Face("tw-sung", "truetype/cns11643/TW-Sung-98_1.ttf", 0, 0.8, True),
    Face("tw-kai", "truetype/cns11643/TW-Kai-98_1.ttf", 0, 0.4),
    Face("hanazono", "truetype/hanazono/HanaMinA.ttf", 0, 0.6, True),
    Face("gbsn", "truetype/arphic-gbsn00lp/gbsn00lp.ttf", 0, 0.4, True),
    Face("gkai", "truetype/arphic-gkai00mp/gkai00mp.ttf", 0, 0.3),
    Face("ukai", "truetype/arphic/ukai.ttc", 0, 0.3),
)
"""Han faces for training, sans faces above all; those of other styles teach what makes a character. The Japanese and Korean
ones draw the shared characters only, for variety of design.

Variety is what reading an unseen face depends on: with 15 faces, characters of the held-back one were misread six times as
often as those of a training face under the same faults."""

FALLBACK = HAN_TRAIN[2]
"""It has every character that is drawn. A face that lacks one borrows it from here, as a printer's system would."""

HAN_VAL = (Face("wqy-zenhei", "truetype/wqy/wqy-zenhei.ttc", 0, 1.0),)
"""Held back: a Hei face of its own design."""

DIGIT_TRAIN = (
    Face("ocr-b", "opentype/ocr-b/OCRB.otf", 0, 4.0),
    Face("ocr-b-sharp", "opentype/ocr-b/OCRBS.otf", 0, 2.0),
    Face("liberation-sans", "truetype/liberation/LiberationSans-Regular.ttf"),
    Face("liberation-mono", "truetype/liberation/LiberationMono-Regular.ttf"),
    Face("dejavu-sans", "truetype/dejavu/DejaVuSans.ttf", 0, 0.7),
    Face("dejavu-mono", "truetype/dejavu/DejaVuSansMono.ttf", 0, 0.7),
    Face("roboto", "truetype/roboto/unhinted/RobotoTTF/Roboto-Regular.ttf"),
    Face("roboto-medium", "truetype/roboto/unhinted/RobotoTTF/Roboto-Medium.ttf"),
    Face("lato", "truetype/lato/Lato-Regular.ttf", 0, 0.7),
    Face("open-sans", "truetype/open-sans/OpenSans-Regular.ttf"),
    Face("hack", "truetype/hack/Hack-Regular.ttf", 0, 0.5),
    Face("inconsolata", "truetype/inconsolata/Inconsolata.otf", 0, 0.5),
)
"""Faces for digits, the number line above all."""

DIGIT_VAL = (
    Face("ocr-b", "opentype/ocr-b/OCRB.otf", 0, 2.0),
    Face("free-sans", "truetype/freefont/FreeSans.ttf", 0, 1.0),
)
"""The number is OCR-B in the field, so validation has it too, beside a face that is held back."""


def installed(faces: tuple[Face, ...]) -> list[Face]:
    """The faces that are there. Raises when none is: a trainer without its faces would learn nothing of use."""
    found = [face for face in faces if face.installed]
    if not found:
        raise FileNotFoundError(f"none of the fonts {[face.name for face in faces]} is installed; see training/README.md")
    return found


@lru_cache(maxsize=64)
def coverage(face: Face) -> frozenset[int]:
    """The code points that a face has a glyph for."""
    if face.path.suffix == ".ttc":
        font = TTCollection(face.path, lazy=True).fonts[face.index]
    else:
        font = TTFont(face.path, lazy=True)
    return frozenset(font.getBestCmap())
