"""A film's formats: .gif, .mp4, .html and, for its first episode, .png."""

import html
import importlib.util
import io
import json
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import GifImagePlugin, Image

from ...errors import UserError
from ...files import atomic
from ..playback import Playback
from .arena import SIDE
from .hover import battle_numbers
from .reel import PAGE_MARGIN, TICK, page_size, palette_of, shots
from .strip import film_strip
from .theme import TRANSPARENT, Picture

Writer = Callable[[Playback], bytes]
_Palette = UInt8[np.ndarray, "256 3"]


def _image(picture: Picture, palette: _Palette) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.putpalette(palette.tobytes())
    return image


def _png(picture: Picture, palette: _Palette) -> bytes:
    file = io.BytesIO()
    _image(picture, palette).save(file, "PNG")
    return file.getvalue()


def _bounding_box(changed: Bool[np.ndarray, "h w"]) -> tuple[slice, slice]:
    """Return the smallest box round what is true, of at least a pixel."""
    rows = np.flatnonzero(changed.any(axis=1))
    columns = np.flatnonzero(changed.any(axis=0))
    span = lambda xs: slice(int(xs[0]), int(xs[-1]) + 1) if len(xs) else slice(0, 1)
    return span(rows), span(columns)


def gif(playback: Playback) -> bytes:
    """Write a GIF of one palette: each picture is the box that has changed, transparent where it has not."""
    chunks = []
    before = None
    palette = palette_of(playback)
    for picture, milliseconds, *_ in shots(playback):
        cut = picture
        offset = (0, 0)
        if before is None:
            chunks += GifImagePlugin.getheader(_image(picture, palette), info={"loop": 0})[0]
        else:
            changed = picture != before
            rows, columns = _bounding_box(changed)
            cut = np.where(changed, picture, np.uint8(TRANSPARENT))[rows, columns]
            offset = (columns.start, rows.start)
        info = {"duration": milliseconds, "transparency": TRANSPARENT, "disposal": 1}
        chunks += GifImagePlugin.getdata(_image(cut, palette), offset, **info)
        before = picture
    return b"".join([*chunks, b";"])


def mp4(playback: Playback) -> bytes:
    """Write H.264 at an even rate: a picture is sent as many times as its duration has ticks."""
    from imageio_ffmpeg import get_ffmpeg_exe

    bgra = np.insert(palette_of(playback)[:, ::-1], 3, 255, axis=1).tobytes()  # in ffmpeg's order
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        width, height = page_size(playback)
        source = f"-f rawvideo -pix_fmt pal8 -s {width}x{height} -r 1000/{TICK} -i -"
        codec = "-c:v libx264 -pix_fmt yuv420p -preset superfast -tune animation -crf 20 -bitexact"
        command = [get_ffmpeg_exe(), "-v", "error", *source.split(), *codec.split(), str(path)]
        ffmpeg = subprocess.Popen(command, stdin=subprocess.PIPE)
        assert ffmpeg.stdin is not None
        with suppress(BrokenPipeError), ffmpeg:  # it may end early, of a full disk for instance, and says why
            for shot in shots(playback):
                for _ in range(shot.milliseconds // TICK):
                    ffmpeg.stdin.write(shot.picture.tobytes() + bgra)
        if ffmpeg.returncode:
            raise UserError("ffmpeg could not encode --out film.mp4, as it says above: use .gif or .html")
        return path.read_bytes()


def html_page(playback: Playback) -> bytes:
    """Write a page that holds everything it needs."""
    palette = palette_of(playback)
    pictures = [
        (
            b64encode(_png(shot.picture, palette)).decode(),
            shot.milliseconds,
            int(shot.moment),
            shot.caption,
            shot.episode,
            round(shot.steps, 3),
        )
        for shot in shots(playback)
    ]
    width, height = page_size(playback)
    template = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    page = template.substitute(
        title=html.escape(f"{playback.world} · {playback.algorithm} · seed {playback.seed}"),
        width=width // 2,
        pixels=width,
        lines=height,
        arena=f"{PAGE_MARGIN}, {PAGE_MARGIN}, {SIDE}, {SIDE}",
        shots=_script(pictures),
        battles=_script([battle_numbers(playback, episode) for episode in playback.episodes]),
    )
    return page.encode()


def _script(value: Any) -> str:
    """Write a value so that a script can hold it, whatever names are in it."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def still(playback: Playback) -> bytes:
    """Write moments of the first episode side by side."""
    return _png(film_strip(playback), palette_of(playback))


WRITERS: dict[str, Writer] = {".gif": gif, ".mp4": mp4, ".html": html_page, ".png": still}


def find_writer(path: Path) -> Writer:
    """Return the writer for a file's ending; refuse others, before anything is played."""
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise UserError(f"--out {path} has no ending that says what to write: take {', '.join(WRITERS)}")
    if suffix == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise UserError(f"--out {path} needs the film extra: pip install 'covey[film]', or use .gif")
    return WRITERS[suffix]


def write_film(playback: Playback, path: Path) -> None:
    """Write a film in the format of the file's ending."""
    content = find_writer(path)(playback)
    with atomic(path, "the film") as file:
        file.write(content)
