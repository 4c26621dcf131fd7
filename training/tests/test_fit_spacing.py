"""The spacing rules applied again to dumps leave out what the engine's rules do, and the fit finds what was planted."""

from shenfen_training.dumps import Detection, Field, Line
from shenfen_training.fit_spacing import Spacing, fit, kept, read_again


def line(*seen: tuple[str, float, float]) -> Line:
    """Characters with their places and their centres' probabilities."""
    found = tuple(Detection(position, centre, True, ((char, 1.0),)) for char, position, centre in seen)
    return Line(length=10.0, hidden=0.0, rounds=(), detections=found)


def text(one: Line, spacing: Spacing) -> str:
    return "".join(found.candidates[0][0] for found in kept(one, "birthPlace", spacing)[0])


def field(truth: str, one: Line) -> Field:
    return Field("a.jpg", "photo", "accept", "birthPlace", truth, truth, 1.0, 0.0, 1.0, truth, 1.0, (one,))


def test_strays_between_and_behind_characters_are_left_out():
    rules = Spacing()
    assert text(line(("市", 0.5, 0.9), ("I", 0.9, 0.9), ("临", 1.55, 0.9)), rules) == "市临"
    assert text(line(("村", 0.5, 0.9), ("1", 1.25, 0.9), ("组", 2.0, 0.9)), rules) == "村1组"
    assert text(line(("巴", 0.5, 0.9), ("楞", 1.5, 0.9), ("S", 3.2, 0.9)), rules) == "巴楞"
    assert text(line(("坳", 0.5, 0.9), ("（", 1.5, 0.9), ("(", 1.9, 0.9), ("享", 2.9, 0.9)), rules) == "坳（享"
    assert text(line(("孟", 0.5, 0.9), ("·", 1.0, 0.9), ("熠", 1.5, 0.9)), rules) == "孟·熠"


def test_what_was_surely_a_character_leaves_a_doubt_when_it_is_left_out():
    is_right, probability = read_again(field("巴楞", line(("巴", 0.5, 1.0), ("楞", 1.5, 1.0), ("S", 3.2, 0.9))), Spacing())
    assert is_right and abs(probability - 0.1) < 1e-6


def test_fit_moves_a_length_until_the_characters_it_cut_off_stay():
    whole = line(("路", 0.5, 1.0), ("3", 1.75, 1.0))
    assert text(whole, Spacing()) == "路"
    fitted = fit([field("路3", whole)] * 20, Spacing())
    assert text(whole, fitted) == "路3" and fitted.max_narrow_gap_in_address > 1.25
