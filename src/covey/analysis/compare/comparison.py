"""The result of a comparison, as a type, as plain data and as text."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ... import statistics
from . import sentences
from .bits import BitComparison
from .compared import ComparedRun, ComparisonVerdict, ReturnComparison
from .differences import Difference, NestedSettings, TensorDifferences
from .divergence import Divergence, NoSearch


@dataclass(frozen=True)
class Comparison:
    """Two runs compared: what differs, where they diverge, their returns, and a verdict on B."""

    a: ComparedRun
    b: ComparedRun
    team: str
    convention: str
    horizon: int  # no part of the JSON
    settings: tuple[Difference, ...]
    nested: NestedSettings
    circumstances: tuple[Difference, ...]
    tensors: TensorDifferences
    bits: BitComparison
    tensor_names: tuple[str, ...]  # of A, to which `bits.leaves` points; no part of the JSON
    divergence: Divergence | NoSearch | None  # None where the runs do not diverge
    returns: ReturnComparison | None  # None where a run has not been evaluated yet
    picture: str | None = None

    @property
    def verdict(self) -> ComparisonVerdict:
        """B beside A, in a word."""
        if self.bits.identical:
            return "identical"
        if any(difference.setting.startswith("env.") for difference in self.settings):
            return "not comparable"
        if self.returns is None:
            return "unknown"
        over = self.returns.b_over_a
        if not statistics.is_settled(over):
            return "indistinguishable"
        return "better" if over["probability_of_improvement"] > 0.5 else "worse"

    @property
    def sentence(self) -> str:
        """The verdict as a sentence."""
        if self.verdict == "identical":
            same_end = self.a.steps == self.b.steps
            return sentences.identical_sentence(self.settings, self.bits, same_end)
        return sentences.verdict_sentence(self.verdict, self.settings, self.returns)

    @property
    def first_tensors(self) -> tuple[str, ...]:
        """The tensors whose fingerprints differ first."""
        return tuple(self.tensor_names[i] for i in self.bits.leaves)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, with the keys of `covey compare --json`."""
        return {
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "team": self.team,
            "convention": self.convention,
            "settings": [asdict(difference) for difference in self.settings],
            "nested": asdict(self.nested),
            "circumstances": [asdict(difference) for difference in self.circumstances],
            "tensors": asdict(self.tensors),
            "bits": self._bits_to_json(),
            "parting": self.divergence.to_json() if self.divergence else None,
            "returns": asdict(self.returns) if self.returns else None,
            "picture": self.picture,
            "verdict": self.verdict,
            "sentence": self.sentence,
        }

    def _bits_to_json(self) -> dict[str, Any]:
        bits = self.bits
        return {
            "seeds": bits.seeds,
            "reports": bits.reports,
            "until": bits.until,
            "parts": asdict(bits.first_difference) if bits.first_difference else None,
            "before": asdict(bits.last_match) if bits.last_match else None,
            "leaves": list(self.first_tensors),
            "values": bits.metrics,
            "identical": bits.identical,
        }

    def __str__(self) -> str:
        """Return the text that `covey compare` prints."""
        return "\n\n".join("\n".join(lines) for lines in self._paragraphs() if lines)

    def _paragraphs(self) -> Iterator[list[str]]:
        yield [sentences.run_line("A", self.a), sentences.run_line("B", self.b)]
        yield sentences.settings_lines(self.settings, self.nested, self.bits)
        yield sentences.circumstances_lines(self.circumstances)
        yield sentences.bits_lines(self.bits, self.first_tensors, self.tensors, self.divergence)
        yield sentences.returns_lines(self.returns, self.team, self.convention, self.bits.identical)
        if self.picture:
            yield [f"picture: {self.picture}"]
        yield [f"verdict: {self.sentence}"]
