"""Films: the right things at the right places, and files that hold all of it."""

import importlib.util
import io
import re
import subprocess
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from covey.core import Spec
from covey.core.scene import Scene
from covey.errors import UserError
from covey.show.film import arena, footer, reel, signs, theme, writers
from covey.show.film.action_table import ActionTable
from covey.show.film.panel import PANEL_HEIGHT, Heading, SidePanel
from covey.show.playback import Episode, FollowedAgent, Playback

MOMENTS = 4
SPEC = Spec(
    ("hunter_0", "hunter_1", "prey"), features=1, actions=5, horizon=25, team=("hunter", "hunter", "prey")
)
BLUE, RED = (theme.RAMPS[colour, theme.ARENA][-1] for colour in theme.TEAM_COLOURS[:2])


def scene(**changes) -> Scene:
    """Hunter 0 walks to the right at y = .5, hunter 1 stands at the left, prey below."""
    agents = np.zeros((MOMENTS, 3, 2))
    agents[:, 0] = np.stack([np.linspace(0, 0.6, MOMENTS), np.full(MOMENTS, 0.5)], axis=1)
    agents[:, 1:] = [-0.8, 0.5], [0.0, -0.8]
    things = np.broadcast_to(np.array([[0.7, -0.5], [-0.5, -0.3]]), (MOMENTS, 2, 2))
    leaves = {
        "agents": agents,
        "objects": things,
        "touching": np.zeros((MOMENTS, 3), bool),
        "caught": np.zeros((MOMENTS, 3), bool),
        "highlighted": np.zeros((MOMENTS, 2), bool),
        "removed": np.zeros((MOMENTS, 2), bool),
        "words": np.full((MOMENTS, 3), -1),
        "links": np.zeros((MOMENTS, 0, 2, 2)),
    } | changes
    made = object.__new__(Scene)  # as `cut_episode` cuts one: the first axis is time, and no copies are left
    static = {
        "agent_radii": (0.1, 0.1, 0.1),
        "object_radii": (0.2, 0.05),
        "object_colours": ("grey", "green"),
        "object_kinds": ("obstacle", "target"),
        "extent": 1.1,
        "agent_units": None,
        "object_units": None,
        "ground": None,
    }
    for name, value in (leaves | static).items():
        object.__setattr__(made, name, value)
    return made


def episode(**changes) -> Episode:
    rng = np.random.default_rng(0)
    values = {
        "scene": scene(),
        "action": rng.integers(0, 5, (MOMENTS - 1, 3)),
        "reward": rng.normal(size=(MOMENTS - 1, 3)),
        "team_reward": rng.normal(size=(MOMENTS - 1, 2)),
        "alive": np.ones((MOMENTS, 3), bool),
        "counts": {"captures": np.array([0.0, 1.0, 1.0])},
        "gauges": {
            "q_tot": rng.normal(size=(MOMENTS - 1, 1)).astype(np.float32),
            "weights": rng.random((MOMENTS - 1, 3)),
        },
    }
    return Episode(**(values | changes))


def drawn(time: float = 0.0, alive=None, **changes) -> theme.Picture:
    picture = np.zeros((arena.SIDE, arena.SIDE), np.uint8)
    alive = np.ones((MOMENTS, 3), bool) if alive is None else alive
    arena.Arena(SPEC, scene(**changes), alive).draw(picture, time)
    return picture


def at(picture: theme.Picture, x: float, y: float) -> int:
    """The colour at a place of the world."""
    return int(picture[round(arena.SIDE / 2 * (1 - y / 1.1)), round(arena.SIDE / 2 * (1 + x / 1.1))])


def test_agents_stand_where_they_are_in_their_teams_colour():
    # Would break: x and y exchanged, upside down, another team's colour, no motion between moments.
    first, between, last = drawn(0), drawn(1.5), drawn(MOMENTS - 1)
    beside = 0.06  # not in the middle, where the number is
    assert at(first, beside, 0.5) == at(between, 0.3 + beside, 0.5) == at(last, 0.6 + beside, 0.5) == BLUE
    assert at(first, -0.8 + beside, 0.5) == BLUE and at(first, beside, -0.8) == RED
    assert at(last, beside, 0.5) != BLUE


def test_things_are_drawn_as_what_they_are():
    # Would break: an obstacle that looks like a goal, another colour, a ring round the wrong thing.
    green, gold = (theme.RAMPS[c, theme.ARENA][-1] for c in (theme.OBJECT_COLOURS["green"], theme.GOAL))
    plain = drawn()
    assert at(plain, -0.5, -0.3) == green
    assert at(plain, 0.7, -0.5) in theme.RAMPS[theme.OBJECT_COLOURS["grey"], theme.ARENA][3:8]
    assert not (plain == gold).any()
    lit = drawn(highlighted=np.broadcast_to([False, True], (MOMENTS, 2)))
    rows, columns = np.nonzero(lit == gold)
    assert at(lit, -0.5, -0.3) == green and len(rows)
    assert abs(rows.mean() - arena.SIDE / 2 * (1 + 0.3 / 1.1)) < 2
    assert abs(columns.mean() - arena.SIDE / 2 * (1 - 0.5 / 1.1)) < 2


def test_of_what_is_gone_an_outline_stays():
    # Would break: a captured prey as bright as before, an outline while it is there, or of the wrong thing.
    green = theme.RAMPS[theme.OBJECT_COLOURS["green"], theme.ARENA]
    gone = np.zeros((MOMENTS, 2), bool)
    gone[2:, 1] = True
    before, after = drawn(1, removed=gone), drawn(2, removed=gone)
    assert at(before, -0.5, -0.3) == green[-1] and (before == drawn(1)).all()
    assert at(after, -0.5, -0.3) not in green[1:]
    assert np.isin(after, green[1:]).any() and not (after == green[-1]).any()
    assert at(after, 0.7, -0.5) == at(before, 0.7, -0.5)


def test_contact_flashes_and_fades():
    # Would break: no flash, one that stays, or one at another agent's.
    touching = np.zeros((MOMENTS, 3), bool)
    touching[1, 1] = True
    bright = lambda time: np.argwhere(drawn(time, touching=touching) != drawn(time))
    assert len(bright(0)) == len(bright(2)) == 0
    near = np.abs(bright(1) - [arena.SIDE / 2 * (1 - 0.5 / 1.1), arena.SIDE / 2 * (1 - 0.8 / 1.1)])
    assert len(near) > 500 and near.max() < 90
    strength = lambda time: int(
        np.isin(drawn(time, touching=touching), theme.RAMPS[theme.TEXT, theme.ARENA][9:]).sum()
    )
    assert strength(1) > strength(1.5) == strength(2)


def test_a_capture_lights_up_and_fades():
    # Would break: no light, one that stays, one before the capture or at another agent's.
    caught = np.zeros((MOMENTS, 3), bool)
    caught[1, 2] = True
    gold = list(theme.RAMPS[theme.GOAL, theme.ARENA][1:])
    light = lambda time, place: gold.index(x) if (x := at(drawn(time, caught=caught), *place)) in gold else -1
    beside = (0.15, -0.8)  # of prey of radius .1
    strengths = [light(time, beside) for time in (0.9, 1, 2, 3)]
    assert strengths[0] == strengths[3] == -1 and strengths[1] > strengths[2] > 0
    assert light(1, (0.35, 0.5)) == light(1, (-0.65, 0.5)) == -1


def test_below_the_arena_stand_the_followed_and_the_course_of_training():
    # Would break: another agent's column, a curve that runs ahead, a page without room for it.
    told = episode(gauges={"Q": np.arange(9.0).reshape(3, 3), "Q_tot": np.ones((3, 1))})
    alpha = np.array([0.0, 0.3, 0.7])
    plain = Playback(SPEC, "pursuit", "dual_q", 0, (told,))
    followed = replace(plain, follow=FollowedAgent(1, {"Q": 1}), training={"alpha": alpha})
    assert reel.page_size(followed)[1] > reel.page_size(plain)[1]
    foot = footer.Footer(followed, told, 1440)
    assert [box.name for box in foot.boxes] == ["alpha in training", "Q of hunter_1"]
    np.testing.assert_array_equal(foot.boxes[1].values, [1, 4, 7])
    first, last = (np.zeros((footer.FOOTER_HEIGHT, 1440), np.uint8) for _ in range(2))
    foot.draw(first, 0)
    foot.draw(last, 2)
    assert (first[:, : foot.room - 40] == last[:, : foot.room - 40]).all() and (first != last).any()
    shot = next(iter(reel.shots(followed)))
    assert shot.picture.shape == reel.page_size(followed)[::-1]
    lone = arena.Arena(SPEC, scene(), np.ones((MOMENTS, 3), bool), 1)
    picture = np.zeros((arena.SIDE, arena.SIDE), np.uint8)
    lone.draw(picture, 0)
    columns = np.nonzero(picture != drawn())[1]
    assert abs(columns.mean() - arena.SIDE / 2 * (1 - 0.8 / 1.1)) < 2


def test_who_speaks_gets_a_bubble_and_who_is_gone_a_ring():
    # Would break: silence drawn as A, words of the dead alike, or a disc for who takes no part any more.
    said = np.full((MOMENTS, 3), -1)
    said[1:, 2] = 0
    other = np.where(said == 0, 1, said)
    assert (drawn(0, words=said) == drawn(0)).all()
    assert (drawn(1, words=said) != drawn(1)).sum() > 1000
    assert (drawn(1, words=said) != drawn(1, words=other)).any()
    alive = np.array([[True, True, True], *[[True, True, False]] * (MOMENTS - 1)])
    assert at(drawn(0, alive), 0.06, -0.8) == RED
    assert not (drawn(1, alive) == RED).any()


def test_a_trail_lies_behind():
    # Would break: a trail ahead of its agent, or none.
    picture = drawn(MOMENTS - 1)
    assert at(picture, 0.3, 0.5) in theme.RAMPS[theme.TEAM_COLOURS[0], theme.ARENA][1:]
    assert at(picture, 0.9, 0.5) not in theme.RAMPS[theme.TEAM_COLOURS[0], theme.ARENA][1:]


def test_the_camera_holds_who_strays_and_points_at_who_is_lost():
    # Would break: somebody cut off at the border, or everything small for one who ran away.
    agents = scene().agents.copy()
    assert arena.camera(scene()) == 1.1
    agents[-1, 0, 0] = 1.5
    assert 1.6 < arena.camera(scene(agents=agents)) < arena.WIDEST
    agents[-1, 0, 0] = 50.0
    assert arena.camera(scene(agents=agents)) == arena.WIDEST
    assert (drawn(MOMENTS - 1, agents=agents)[:, -40:] == BLUE).sum() > 50


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (("agent_0", "agent_11"), ("0", "11")),
        (("speaker_0", "listener_0"), ("S", "L")),
        (("left", "last"), ("0", "1")),
    ],
)
def test_signs_differ_within_a_team(names, labels):
    # Would break: two agents that bear the same sign.
    assert signs.agent_labels(Spec(names, 1, 2, 3)) == labels


def test_a_table_is_brighter_where_it_was_paid_better():
    # Would break: rewards of another agent or step, a future that is already shown.
    reward = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    table = ActionTable(SPEC, episode().action, reward)
    picture = np.zeros((arena.SIDE, arena.SIDE), np.uint8)
    cell = lambda i, t: int(
        picture[round(table.top + (i + 0.8) * table.height), round(table.left + (t + 0.5) * table.width)]
    )
    table.draw(picture, 2)
    assert cell(1, 0) == cell(0, 1) == BLUE
    assert cell(0, 0) == cell(1, 1) == theme.RAMPS[theme.TEAM_COLOURS[0], theme.ARENA][3]
    assert cell(2, 2) == theme.RAMPS[theme.MUTED, theme.ARENA][1]
    table.draw(picture, 3)
    assert cell(2, 2) == RED


@pytest.mark.parametrize(("agents", "teams", "gauges"), [(1, 1, 0), (7, 2, 3), (30, 1, 2), (6, 6, 1)])
def test_the_panel_has_room(agents, teams, gauges):
    # Would break: blocks that overlap or run over the page, for few and for many.
    names = tuple(f"agent_{i}" for i in range(agents))
    spec = Spec(names, 1, 5, 25, team=tuple(f"team_{i % teams}" for i in range(agents)))
    rng = np.random.default_rng(0)
    told = {f"gauge_{i}": rng.normal(size=(3, 1)) for i in range(gauges)}
    one = episode(reward=rng.normal(size=(3, agents)), team_reward=rng.normal(size=(3, teams)), gauges=told)
    panel = SidePanel(
        spec, one, Heading("a_world_of_a_long_name_indeed", "qmix", "seed 0", "episode 1 of 1", 3)
    )
    assert sum(block.height for block in panel.blocks[: teams + 2]) < PANEL_HEIGHT
    picture = np.zeros((PANEL_HEIGHT, 440), np.uint8)
    panel.draw(picture, 0)
    before = picture.copy()
    panel.draw(picture, 2)
    assert (picture != before).any()


PLAYBACK = Playback(SPEC, "a<b", "qmix", 3, (episode(), episode()))


@pytest.fixture(scope="module")
def shots():
    return list(reel.shots(PLAYBACK))


def rgb(picture: theme.Picture) -> np.ndarray:
    return theme.PALETTE[picture]


def test_a_reel_goes_from_the_first_moment_to_the_last(shots):
    # Would break: a moment left out, an end that is not held, an episode without its number.
    assert len(shots) == 2 * (3 * (MOMENTS - 1) + 1)
    assert sum(shot.moment for shot in shots) == 2 * MOMENTS
    assert [shot.caption for shot in shots if shot.moment][-1] == "episode 2, step 3 of 3 steps"
    assert shots[0].milliseconds == reel.FIRST and shots[-1].milliseconds == reel.LAST
    assert all(
        shot.milliseconds % reel.TICK == 0 and shot.picture.shape == reel.page_size(PLAYBACK)[::-1]
        for shot in shots
    )


def test_a_gif_holds_every_picture_for_its_time(shots):
    # Would break: a change that is left out or left over, a wrong offset, palette or time.
    made = Image.open(io.BytesIO(writers.gif(PLAYBACK)))
    assert getattr(made, "n_frames", 1) == len(shots) and made.info["loop"] == 0
    for i, shot in enumerate(shots):
        made.seek(i)
        assert made.info["duration"] == shot.milliseconds
        np.testing.assert_array_equal(
            np.asarray(made.convert("RGB")), rgb(shot.picture), err_msg=f"picture {i}"
        )


def test_a_page_needs_nothing_from_elsewhere(shots):
    # Would break: a picture or script that is only pointed to, a name that is taken for HTML.
    page = writers.html_page(PLAYBACK).decode()
    assert not re.search(r"https?:|src=|href=|url\(|import ", page)
    assert "a&lt;b · qmix · seed 3" in page and "a<b" not in page and "$" not in page.split("<script>")[0]
    pictures = re.findall(r'\["([A-Za-z0-9+/=]{100,})",(\d+),([01]),', page)
    assert [(int(ms), bool(int(moment))) for _, ms, moment in pictures] == [
        (s.milliseconds, s.moment) for s in shots
    ]
    last = Image.open(io.BytesIO(b64decode(pictures[-1][0]))).convert("RGB")
    np.testing.assert_array_equal(np.asarray(last), rgb(shots[-1].picture))


def test_an_mp4_is_as_long_as_the_reel(shots, tmp_path):
    # Would break: pictures lost or repeated, red and blue exchanged, a file that cannot be played.
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    path = tmp_path / "film.mp4"
    path.write_bytes(writers.mp4(PLAYBACK))
    raw = [ffmpeg, "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    frames = np.frombuffer(subprocess.run(raw, capture_output=True, check=True).stdout, np.uint8)
    frames = frames.reshape(-1, *reel.page_size(PLAYBACK)[::-1], 3)
    assert len(frames) == sum(shot.milliseconds for shot in shots) // reel.TICK
    assert np.abs(frames[-1].astype(int) - rgb(shots[-1].picture)).mean() < 3
    assert np.abs(frames[-1].astype(int) - rgb(shots[-1].picture)[..., ::-1]).mean() > 3


def test_a_strip_shows_the_first_moment_and_the_last():
    # Would break: moments in another order, or of another episode.
    made = np.asarray(Image.open(io.BytesIO(writers.still(PLAYBACK))))
    field = lambda i: made[110 : 110 + arena.SIDE, 40 + i * 1000 : 40 + i * 1000 + arena.SIDE]
    np.testing.assert_array_equal(field(0), drawn(0))
    np.testing.assert_array_equal(field(3), drawn(3))


def test_the_same_replay_gives_the_same_bytes():
    # Would break: a date or anything random in a file.
    replay = replace(PLAYBACK, episodes=PLAYBACK.episodes[:1])
    for writer in writers.WRITERS.values():
        if writer is not writers.mp4 or importlib.util.find_spec("imageio_ffmpeg"):
            assert writer(replay) == writer(replay)


def test_what_cannot_be_written_is_refused_before_it_is_played(tmp_path, monkeypatch):
    # Would break: a minute of work before the sentence, or half a file after it.
    with pytest.raises(UserError, match=r"--out .*film\.avi .*\.gif, \.mp4, \.html, \.png"):
        writers.find_writer(tmp_path / "film.avi")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"film\.mp4 needs the film extra.*covey\[film\].*\.gif"):
        writers.find_writer(tmp_path / "film.mp4")
    assert writers.find_writer(tmp_path / "film.GIF") is writers.gif
