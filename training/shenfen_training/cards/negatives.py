"""Pictures without an identity card: surfaces, papers, bank cards, other documents, faces."""

import cv2
import numpy as np

from .artwork import background, cloud, draw_portrait
from .geometry import between, warp
from .glyphs import Typeface, random_number_face
from .identity import pick
from .layout import Run
from .render import corner_mask, ink_run
from .surfaces import add_clutter, scatter_text, surface

KINDS = ("surface", "page", "bank_card", "other_card", "licence", "faces", "receipt", "blank_card")


def _bank_card(rng: np.random.Generator) -> np.ndarray:
    """A payment card: coloured ground, a chip, a long number, no portrait."""
    height, width = 432, 685
    tone, other = rng.uniform(20, 240, 3), rng.uniform(20, 240, 3)
    field = cloud(rng, height, width, 2, 1)[..., None]
    image = (tone * field + other * (1 - field)).astype(np.uint8)
    x, y = int(rng.uniform(50, 90)), int(rng.uniform(130, 180))
    cv2.rectangle(image, (x, y), (x + 90, y + 70), (210, 180, 100), -1)
    face = random_number_face(rng, "train")
    layer = np.zeros((height, width), np.uint8)
    number = " ".join(f"{int(rng.integers(10**4)):04d}" for _ in range(4))
    ink_run(layer, Run(number, 6, 33, 5.0, Typeface(face, face), "value"), 8)
    ink_run(layer, Run(f"{int(rng.integers(1, 13)):02d}/{int(rng.integers(24, 33))}", 30, 41, 3.0, Typeface(face, face), "value"), 8)
    ink = 255 if image.mean() < 130 else 20
    alpha = layer[..., None] / 255
    image = (image * (1 - alpha) + ink * alpha).astype(np.uint8)
    scatter_text(image, rng, (ink,) * 3, rng.uniform(24, 40), (360, 20, 660, 90), 1.0)
    return image


def _other_card(rng: np.random.Generator) -> np.ndarray:
    """A card of another layout: a pass or a business card, perhaps with a portrait on the left."""
    size = (685, 432)
    if rng.random() < 0.5:
        image = background(rng, "train", size)
    else:
        image = np.full((432, 685, 3), rng.uniform(150, 255, 3), np.uint8)
    if rng.random() < 0.6:
        cv2.rectangle(image, (0, 0), (685, int(rng.uniform(40, 110))), tuple(float(v) for v in rng.uniform(0, 255, 3)), -1)
    if rng.random() < 0.6:
        draw_portrait(image, (pick(rng, (4, 8, 58)), 14, 22, 28), 8, rng)
    left = pick(rng, (20, 260))
    scatter_text(image, rng, rng.uniform(0, 120, 3), rng.uniform(18, 34), (left, 130, 660, 400), rng.uniform(0.3, 1))
    return image


def _licence(rng: np.random.Generator) -> np.ndarray:
    """A form ruled in boxes."""
    image = np.full((432, 685, 3), rng.uniform(200, 250, 3), np.uint8)
    colour = tuple(float(v) for v in rng.uniform(0, 140, 3))
    for y in np.arange(60, 420, rng.uniform(40, 70)):
        cv2.line(image, (20, int(y)), (665, int(y)), colour, 2)
        scatter_text(image, rng, rng.uniform(0, 80, 3), 22, (30, y + 2, 640, y + 30), 0.6)
    for x in rng.uniform(60, 600, 3):
        cv2.line(image, (int(x), 60), (int(x), 420), colour, 2)
    return image


def _page(rng: np.random.Generator) -> np.ndarray:
    """A sheet of print, perhaps with a picture."""
    image = np.full((900, 640, 3), rng.uniform(215, 255), np.uint8)
    scatter_text(image, rng, (30, 30, 30), rng.uniform(14, 30), (40, 40, 600, 860))
    if rng.random() < 0.4:
        x, y, w, h = 60, int(rng.uniform(60, 500)), int(rng.uniform(150, 450)), int(rng.uniform(100, 300))
        image[y:y + h, x:x + w] = surface(rng, w, h)
    return image


def _receipt(rng: np.random.Generator) -> np.ndarray:
    image = np.full((800, 300, 3), rng.uniform(225, 255), np.uint8)
    scatter_text(image, rng, (60, 60, 70), rng.uniform(12, 18), (15, 15, 285, 780), 0.7)
    return image


def _faces(rng: np.random.Generator, image: np.ndarray) -> None:
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        h = rng.uniform(0.3, 0.9) * height
        w = h * 0.8
        if w < width:
            draw_portrait(image, (rng.uniform(0, width - w), rng.uniform(0, height - h), w, h), 1.0, rng)


def _lay(image: np.ndarray, piece: np.ndarray, rng: np.random.Generator, rounded: bool) -> None:
    """Lays a flat piece on the picture, turned and tilted."""
    height, width = image.shape[:2]
    ph, pw = piece.shape[:2]
    half = np.array([[-pw, -ph], [pw, -ph], [pw, ph], [-pw, ph]], np.float64) / 2
    angle = np.radians(pick(rng, (0, 0, 90, 180, 270)) + rng.normal(0, 10))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    quad = half @ turn
    quad *= rng.uniform(0.5, 1.2) * min(width / np.ptp(quad[:, 0]), height / np.ptp(quad[:, 1]))
    quad += rng.normal(0, 0.03, (4, 2)) * np.ptp(quad, axis=0).min()
    quad += np.array([width, height]) * rng.uniform(0.4, 0.6, 2)
    factor = np.ptp(quad, axis=0).max() / max(pw, ph)
    if factor < 0.7:
        piece = cv2.resize(piece, (max(8, int(pw * factor * 1.2)), max(8, int(ph * factor * 1.2))), interpolation=cv2.INTER_AREA)
        ph, pw = piece.shape[:2]
    homography = between(np.array([[0, 0], [pw, 0], [pw, ph], [0, ph]], np.float32), quad)
    mask = warp(corner_mask(pw, ph, not rounded), homography, (width, height))
    cv2.copyTo(warp(piece, homography, (width, height)), (mask > 127).astype(np.uint8), image)


def negative(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A picture without an identity card, uint8 RGB [height, width, 3]."""
    image = surface(rng, width, height)
    kind = pick(rng, KINDS)
    match kind:
        case "page":
            _lay(image, _page(rng), rng, False)
        case "receipt":
            _lay(image, _receipt(rng), rng, False)
        case "bank_card":
            _lay(image, _bank_card(rng), rng, True)
        case "other_card":
            _lay(image, _other_card(rng), rng, True)
        case "licence":
            _lay(image, _licence(rng), rng, rng.random() < 0.5)
        case "blank_card":  # the ground of a card with nothing on it
            _lay(image, background(rng, "train", (685, 432)), rng, True)
        case "faces":
            _faces(rng, image)
        case _:
            if rng.random() < 0.3:
                add_clutter(image, rng, 12)
    return image
