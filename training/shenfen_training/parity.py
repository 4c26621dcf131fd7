"""The parity files: what a network's stage makes of a drawn picture, from the crop to the decoded output.

models/parity/picture.png is a drawn card with a SPECIMEN mark. For each network a safetensors file holds, for crops of that picture,
the crop, the network's output with exactly the exported weights, and the decoded output. crates/ocr/tests/parity.rs holds the engine
to each of the three, so that a wrong crop, a wrong network and a wrong decoder fail by themselves.
"""

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from .cards.camera import photograph
from .cards.identity import random_person
from .cards.render import render_card
from .contract import FIELDS, LINES, LOCATOR, MODELS
from .crops import card_crop, coarse_crop, cut_strip, grey, network_input, refinement_crop, strip_frame, strip_input
from .decoding import FoundLine, Located, characters, decode_lines, decode_locator, without_duplicates
from .nets.recogniser import Recogniser

FOLDER = MODELS / "parity"
SEED = 12
"""Of the drawn picture: a front whose fields the networks read."""
SIZE = (640, 480)
SIDES = ("front", "back")
STRIPS = ("name", "identityNo", "birthPlace")
"""Fields whose first line is cut as a strip."""
CLOSE = 0.65
"""Of the card's size: rough corners of a crop that shows less than the card."""
CLASSIFIED = 4
"""Characters of a strip whose logits are kept, for the size of the file."""


def draw_picture() -> tuple[np.ndarray, np.ndarray]:
    """The picture, uint8 RGB, and the quad of the card on it."""
    rng = np.random.default_rng(SEED)
    card = render_card(random_person(rng), "front", rng, "val", mark=True)
    photo = photograph([card], rng, "scan", "val", SIZE)
    return photo.image, photo.cards[0].quad


def write_picture() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    image, _ = draw_picture()
    cv2.imwrite(str(FOLDER / "picture.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def read_picture() -> np.ndarray:
    image = cv2.imread(str(FOLDER / "picture.png"))
    if image is None:
        raise FileNotFoundError(FOLDER / "picture.png")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def bytes_of(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image))


def floats_of(values: object) -> Tensor:
    return torch.tensor(np.asarray(values, np.float32))


def _cards(prefix: str, cards: list[Located]) -> dict[str, Tensor]:
    return {
        f"{prefix}.quads": floats_of([card.quad for card in cards]),
        f"{prefix}.sides": torch.tensor([SIDES.index(card.side) for card in cards], dtype=torch.uint8),
        f"{prefix}.confidences": floats_of([card.confidence for card in cards]),
    }


@torch.inference_mode()
def locator_parity(net: nn.Module, image: np.ndarray) -> tuple[dict[str, Tensor], Located]:
    """Both passes over the picture, and the card that they find, in its pixels."""

    def run(crop: np.ndarray) -> Tensor:
        return net(torch.from_numpy(network_input(crop, LOCATOR.pixels))[None])[0]

    tensors: dict[str, Tensor] = {}
    crop, to_image = coarse_crop(image)
    output = run(crop)
    cards = without_duplicates(decode_locator(output.numpy()))
    tensors |= {"coarse.crop": bytes_of(crop), "coarse.output": output} | _cards("coarse", cards)
    rough = to_picture(to_image, cards[0].quad)
    # With the corners outside, nothing refines what the card's centre predicts.
    close = rough.mean(axis=0) + CLOSE * (rough - rough.mean(axis=0))
    for name, quad in (("close", close), ("refinement", rough)):
        crop, to_image = refinement_crop(image, quad)
        output = run(crop)
        cards = without_duplicates(decode_locator(output.numpy()))
        tensors |= {f"{name}.rough": floats_of(quad), f"{name}.crop": bytes_of(crop), f"{name}.output": output} | _cards(name, cards)
    best = cards[0]
    return tensors, Located(to_picture(to_image, best.quad), best.side, best.confidence)


def to_picture(to_image: np.ndarray, points: np.ndarray) -> np.ndarray:
    return cv2.perspectiveTransform(points.reshape(-1, 1, 2).astype(np.float64), to_image).reshape(points.shape).astype(np.float32)


@torch.inference_mode()
def lines_parity(net: nn.Module, image: np.ndarray, quad: np.ndarray) -> tuple[dict[str, Tensor], list[FoundLine]]:
    """The card's frame, and the lines found on it, in its pixels."""
    crop, _ = card_crop(grey(image), quad)
    output = net(torch.from_numpy(network_input(crop, LINES.pixels))[None])[0]
    lines = decode_lines(output.numpy())
    tensors = {
        "quad": floats_of(quad),
        "crop": bytes_of(crop),
        "output": output,
        "fields": torch.tensor([FIELDS.index(line.field) for line in lines], dtype=torch.uint8),
        # Start x, y, end x, y, em.
        "lines": floats_of([[*line.start, *line.end, line.em] for line in lines]),
    }
    return tensors, lines


def em_box(line: FoundLine) -> np.ndarray:
    """The em box of a line, float64 [4, 2]."""
    along = (line.end - line.start) / np.linalg.norm(line.end - line.start)
    half = np.array([-along[1], along[0]]) * line.em / 2
    return np.array([line.start - half, line.end - half, line.end + half, line.start + half])


@torch.inference_mode()
def recogniser_parity(net: Recogniser, image: np.ndarray, quad: np.ndarray, lines: list[FoundLine]) -> dict[str, Tensor]:
    """Strips of some lines, and the characters read on them."""
    brightness = grey(image)
    _, to_image = card_crop(brightness, quad)
    tensors = {"quad": floats_of(quad)}
    for field in STRIPS:
        line = next(line for line in lines if line.field == field)
        to_frame, width = strip_frame(em_box(line))
        strip = cut_strip(brightness, to_image @ to_frame, width)
        features, centre, hidden = net(torch.from_numpy(strip_input(strip))[None, None])
        logits = centre[0]
        steps, positions, no_missed = characters(logits.numpy())
        classified = net.classify(features[0][steps])
        tensors |= {
            f"{field}.line": floats_of([*line.start, *line.end, line.em]),
            f"{field}.crop": bytes_of(strip),
            # [steps, channels], in the order of RecogniserChannels.
            f"{field}.channels": torch.stack([logits, hidden[0]], dim=1),
            f"{field}.positions": floats_of(positions),
            f"{field}.no_missed": floats_of([no_missed]),
            f"{field}.classes": classified.argmax(-1),
            f"{field}.probabilities": classified.softmax(-1).max(-1).values,
            f"{field}.logits": classified[:CLASSIFIED],
        }
    return tensors


def write(nets: dict[str, nn.Module]) -> None:
    """The parity files of all networks, which follow one another."""
    write_picture()
    image = read_picture()
    located, card = locator_parity(nets["locator"], image)
    found, lines = lines_parity(nets["lines"], image, card.quad)
    recogniser = nets["recogniser"]
    assert isinstance(recogniser, Recogniser)
    read = recogniser_parity(recogniser, image, card.quad, lines)
    for name, tensors in (("locator", located), ("lines", found), ("recogniser", read)):
        save_file({key: value.contiguous() for key, value in tensors.items()}, FOLDER / f"{name}.safetensors")
