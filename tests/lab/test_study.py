"""What the lab says, draws, and answers to bad input."""

import numpy as np
import pytest
from PIL import Image

import covey.lab
from covey.cli import main
from covey.lab.descent import DescentEnd

GAME = [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]]


def test_a_payoff_is_told_whole():
    # Would break: an operator left out, a frame or star at the wrong place, a wrong number.
    text = str(covey.lab.study_game(GAME, starts=0))
    assert text.startswith("a payoff of 3 × 3: best is (0, 0), worth 8\n     8 *  −12    −12  \n")
    assert "QMIX, the nearest monotone table: error 288\n   [8]*  −6    −6  \n" in text
    assert "right: agents choose (0, 0), valued 8, worth 8" in text
    assert "VDN, the nearest sum of the agents' own values: error 455.111\n   −6.22 *  −4.89    −4.89" in text
    assert "agents choose (1, 1) or (1, 2) or (2, 1) or (2, 2), valued −3.56, worth 0" in text
    assert "exceeding α = 0.1: error 52.3636\n      [8]*  −1.09    −1.09  \n" in text


def test_several_minimisers_are_told():
    # Would break: one minimiser passed off as the only one.
    text = str(covey.lab.study_game(np.eye(2), ["qmix"], starts=0))
    assert "4 minimisers, 2 of them right" in text and text.count("agents choose") == 4
    many = str(covey.lab.study_game(np.eye(4), ["qmix"], starts=0))
    assert "24 minimisers, " in many and "; the first 4\n" in many and many.count("agents choose") == 4


def test_descents_are_told_beside_it():
    # Would break: a local optimum's table not shown, or shown where it is the exact one.
    study = covey.lab.study_game(GAME, ["qmix"], starts=0)
    other = DescentEnd(np.array([[-8.0, -8, -8], [-8, 0, 0], [-8, 0, 0]]), 320.0, (1, 2), 3)
    same = DescentEnd(study.states[0].projections["qmix"].table + 0.01, 288.0, (0, 0), 1)
    text = str(study._replace(states=[study.states[0]._replace(descents={"qmix": [other, same]})]))
    assert "gradient descent, 3 of 4 starts: error 320\n   −8 *  −8    −8  \n   −8     0    [0] \n" in text
    assert text.count("−8 *") == 1 and "gradient descent, 1 of 4 starts: error 288\n  right" in text


def test_what_is_not_exact_says_so():
    # Would break: a best found sold as the best there is.
    text = str(covey.lab.study_game(np.random.default_rng(0).normal(size=(6, 6)), ["qmix"], starts=0))
    assert "not all orders were tried: the best found has error" in text and ", none has less than" in text


def test_two_step_is_iterated():
    # Would break: states mixed up; the discount forgotten.
    text = str(covey.lab.study_game("two_step", ["vdn", "ow"]))
    assert "two_step, first choice (discount 0.99): best is (1, 0) or (1, 1), worth 7.92" in text
    assert "after 2 sweeps nothing changes" in text and "gradient descent" not in text


@pytest.mark.parametrize(
    "game",
    [GAME, "two_step", [[[1, 0], [0, 0]], [[0, 0], [0, 2]]]],
    ids=["matrix", "two_step", "three agents"],
)
def test_it_is_drawn(game, tmp_path):
    # Would break: panels outside the picture, a shape that cannot be drawn.
    out = covey.lab.study_game(game, starts=0).picture(tmp_path / "lab.png")
    with Image.open(out) as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels.shape[1] > 900 and pixels.min() < 80
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert (edge == 255).all()


def test_the_command(tmp_path, capsys):
    # Would break: options that do not arrive, a picture that is not where it is said to be.
    out = tmp_path / "penalty.png"
    words = ["lab", "matrix/penalty", "env.k=-3", "--operator=ow", "--alpha=.3", "--starts=0", f"--out={out}"]
    assert main(words) == 0 and out.exists()
    text = capsys.readouterr().out
    assert "α = 0.3" in text and "VDN" not in text and "−3" in text and f"picture: {out}" in text
    big = ["lab", str(np.eye(12).tolist()), "--operator=vdn", "--starts=0", f"--out={tmp_path / 'big.png'}"]
    assert main(big) == 0 and not (tmp_path / "big.png").exists()
    assert "too large to be drawn" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["[[1,0],[0]]"], "[[1, 0], [0]] is no table"),
        (["[[1,0"], "the payoff is not valid YAML"),
        (["spread"], "spread is no game in tables"),
        (["matrx"], "did you mean matrix?"),
        (["two_step", "--operator=iql"], "unknown operator 'iql'"),
        (["two_step", "--alpha=0"], "alpha=0 is no weight"),
        (["two_step", "--out=film.gif"], "take .png"),
        (["two_step", "gamma=.9"], "after GAME only env.key=value may follow"),
        (["[[1,0],[0,1]]", "env.rounds=3"], "a payoff has no settings"),
    ],
)
def test_bad_input(words, says, capsys):
    # Would break: a traceback; a sentence that does not say what to do.
    assert main(["lab", *words]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1
