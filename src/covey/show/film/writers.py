"""A film's formats: .gif, .mp4, .html and, of its first episode, .png."""

import html
import importlib.util
import io
import json
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from string import Template

import numpy as np
from jaxtyping import Bool
from PIL import GifImagePlugin, Image

from ...errors import UserError
from ...files import atomic
from ..playback import Replay
from .reel import TICK, shots, size
from .strip import strip
from .theme import PALETTE, TRANSPARENT, Picture

Writer = Callable[[Replay], bytes]
BGRA = np.insert(PALETTE[:, ::-1], 3, 255, axis=1).tobytes()  # the palette as ffmpeg takes it


def image(picture: Picture) -> Image.Image:
    made = Image.fromarray(np.ascontiguousarray(picture))
    made.putpalette(PALETTE.tobytes())
    return made


def png(picture: Picture) -> bytes:
    file = io.BytesIO()
    image(picture).save(file, "PNG")
    return file.getvalue()


def box(changed: Bool[np.ndarray, "h w"]) -> tuple[slice, slice]:
    """The smallest box round what is true, of at least a pixel."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    span = lambda xs: slice(int(xs[0]), int(xs[-1]) + 1) if len(xs) else slice(0, 1)
    return span(rows), span(columns)


def gif(replay: Replay) -> bytes:
    """One palette; of each picture the box that has changed, transparent where it has not."""
    chunks, before = [], None
    for picture, milliseconds, *_ in shots(replay):
        cut, offset = picture, (0, 0)
        if before is None:
            chunks += GifImagePlugin.getheader(image(picture), info={"loop": 0})[0]
        else:
            changed = picture != before
            rows, columns = box(changed)
            cut = np.where(changed, picture, np.uint8(TRANSPARENT))[rows, columns]
            offset = columns.start, rows.start
        kept = {"duration": milliseconds, "transparency": TRANSPARENT, "disposal": 1}
        chunks += GifImagePlugin.getdata(image(cut), offset, **kept)
        before = picture
    return b"".join([*chunks, b";"])


def mp4(replay: Replay) -> bytes:
    """H.264 at an even rate: a picture is sent as often as it is seen."""
    from imageio_ffmpeg import get_ffmpeg_exe

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        width, height = size(replay)
        taken = f"-f rawvideo -pix_fmt pal8 -s {width}x{height} -r 1000/{TICK} -i -"
        made = "-c:v libx264 -pix_fmt yuv420p -preset superfast -tune animation -crf 20 -bitexact"
        command = [get_ffmpeg_exe(), "-v", "error", *taken.split(), *made.split(), str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as ffmpeg:
            assert ffmpeg.stdin is not None
            for shot in shots(replay):
                for _ in range(shot.milliseconds // TICK):
                    ffmpeg.stdin.write(shot.picture.tobytes() + BGRA)
        if ffmpeg.returncode:
            raise UserError("ffmpeg could not encode --out film.mp4: use .gif or .html")
        return path.read_bytes()


def page(replay: Replay) -> bytes:
    """A page that needs nothing from elsewhere."""
    told = [
        (b64encode(png(picture)).decode(), milliseconds, int(moment), caption)
        for picture, milliseconds, moment, caption in shots(replay)
    ]
    width, height = size(replay)
    text = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(f"{replay.world} · {replay.algorithm} · seed {replay.seed}"),
        width=width // 2,
        pixels=width,
        lines=height,
        shots=json.dumps(told, separators=(",", ":")),
    )
    return text.encode()


def still(replay: Replay) -> bytes:
    return png(strip(replay))


WRITERS: dict[str, Writer] = {".gif": gif, ".mp4": mp4, ".html": page, ".png": still}


def writer(path: Path) -> Writer:
    """By the file's ending. Refuses what cannot be written before anything is played."""
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise UserError(f"--out {path} has no ending that says what to write: take {', '.join(WRITERS)}")
    if suffix == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise UserError(f"--out {path} needs the film extra: pip install 'covey[film]', or use .gif")
    return WRITERS[suffix]


def write(replay: Replay, path: Path) -> None:
    made = writer(path)(replay)
    with atomic(path, "the film") as file:
        file.write(made)
