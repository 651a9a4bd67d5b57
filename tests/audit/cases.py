"""Short audited runs, of planted defects and of covey's own algorithms."""

from pathlib import Path

import pytest

from covey.audit.audit import Audit
from covey.audit.report import AuditReport
from covey.audit.static import examine
from covey.config.config import Config
from covey.errors import UserError
from covey.runs.engine import Engine

PLANTED = Path(__file__).parent / "planted.py"
OPTIONS = {"seeds": 1, "steps": 2000, "report_every": 1000, "envs": 4, "eval_episodes": 2}


def planted(name: str, *settings: str, options: dict[str, int] = OPTIONS) -> Config:
    return Config.parse(f"{PLANTED}:{name}", "two_step", list(settings), options)


def audit_run(config: Config, chunks: int = 1) -> AuditReport:
    """Audit a run before training, and during so many chunks of it."""
    engine = Engine(config)
    audit = Audit(config, engine)
    states = engine.start()
    audit.begin(states, 0)
    for i in range(chunks):
        states, metrics, _ = engine.advance(states, i * engine.iterations)
        audit.after_chunk(states, metrics, (i + 1) * engine.iterations, half=i > 0)
        audit.after_report(states)
    return audit.finish(states)


def refusal(config: Config, chunks: int = 0) -> str:
    """Return the sentence that refuses a run, before training or after some chunks of it."""
    with pytest.raises(UserError) as error:
        audit_run(config, chunks) if chunks else examine(config, Engine(config).trainer)
    return str(error.value)
