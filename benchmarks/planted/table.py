"""The planted defects: where each is caught, and by what words."""

from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
STOPPED = "stopped before training"
TOLD = "told before training"
TRAINING = "stopped while training"
CHECK = "covey check"
UNSEEN = "not seen"
LEGAL = "predator_prey"  # a small world with illegal actions


class Defect(NamedTuple):
    """A class with a defect, where it is caught, and words of the sentence."""

    file: str
    name: str
    caught: str
    words: str
    world: str = "two_step"

    @property
    def algorithm(self) -> str:
        return "qmix" if self.file == "mixers" else f"{HERE / self.file}.py:{self.name}"

    @property
    def settings(self) -> list[str]:
        small = ["agent.hidden=8", "experience.capacity=64", "experience.batch_size=8"]
        return [f"mixer={HERE / self.file}.py:{self.name}", *small] if self.file == "mixers" else []


def _of(file: str, *rows: tuple[str, ...]) -> list[Defect]:
    return [Defect(file, *row) for row in rows]


DEFECTS = [
    *_of(
        "value",
        ("RewardUnused", TOLD, "nothing that acts is learned from the reward"),
        ("RewardTimesZero", TOLD, "nothing that acts is learned from the reward"),
        ("RewardClippedAway", TOLD, "nothing that acts is learned from the reward"),
        ("TerminatedIgnored", TOLD, "nothing is learned from `terminated`"),
        ("ValidIgnored", TOLD, "nothing is learned from `valid`"),
        ("LegalIgnored", TOLD, "nothing is learned from `legal`", LEGAL),
        ("ActionIgnored", TOLD, "nothing is learned from the actions"),
        ("GradientThroughTarget", TOLD, "gradients flow into the value that a target adds"),
        ("TargetUnread", STOPPED, "target is never read"),
        ("TargetFollowsItself", TOLD, "target follows nothing but itself"),
        ("TargetIsOnline", STOPPED, "target is online itself"),
        ("TargetNeverFollows", STOPPED, "target never follows"),
        ("MomentsBegunAnew", TOLD, "opt_state is begun anew at each update"),
        ("MomentsDropped", TOLD, "opt_state stays as it began"),
        ("WeightsDropped", STOPPED, "online never moves"),
        ("Swapped", TOLD, "returns online in the place of more"),
        ("ZeroTermByHand", TOLD, "is 0 whatever is learned"),
        ("DetachedTermByHand", TOLD, "adds to a loss has no gradient"),
        ("DetachedNamedTerm", STOPPED, "the loss term error has a value but no gradient"),
        ("TermOverwritten", STOPPED, "small=0.01 changes nothing"),
        ("SameDrawsAlways", TOLD, "in every copy and at every step"),
        ("SameDrawsInAllCopies", TOLD, "the same random numbers in every copy"),
        ("SameNoiseInUpdates", TOLD, "update draws the same random numbers"),
        ("SameStartInAllSeeds", TOLD, "all seeds begin alike"),
        ("PlaysAnother", STOPPED, "more acts, but is not learned from"),
        ("LearnsBeside", STOPPED, "more is never called"),
        ("AgentsLeftOut", STOPPED, "online.agents acts, but is not learned from"),
        ("AgentsDetached", TOLD, "nothing that acts is learned"),
        ("MixerTimesZero", TOLD, "online.mixer learns, but does not act"),
        ("MixerNeverCalled", STOPPED, "online.mixer is never called"),
        ("MixerLeftOut", STOPPED, "online.mixer never moves"),
        ("MaskOfZeros", TRAINING, "exactly 0 in"),
        ("NotFinite", TRAINING, "infinite or NaN"),
        ("UnreadSetting", STOPPED, "clip_reward=10.0 changes nothing"),
        ("UnreadMode", STOPPED, "mode=fast changes nothing"),
        ("ReadButUnused", STOPPED, "bonus=0.5 changes nothing"),
        ("UnreadDiscount", STOPPED, "gamma=0.9 changes nothing"),
        ("TruthAsText", STOPPED, "Python takes any text for true"),
        ("ScheduleNeverMoves", UNSEEN, ""),
        ("RewardReversed", CHECK, "shuns reward"),
        ("WorstAction", CHECK, "shuns reward"),
        ("NextStepPaid", UNSEEN, ""),
    ),
    *_of(
        "actor_critic",
        ("EntropyMinimised", TOLD, "the loss grows with `entropy`"),
        ("AdvantageReversed", CHECK, "shuns reward"),
        ("LossReversed", CHECK, "shuns reward"),
        ("DivergenceFromItself", TOLD, "is 0 whatever is learned"),
        ("PolicyDetached", STOPPED, "the loss term policy has a value but no gradient"),
        ("EntropyDetached", STOPPED, "the loss term entropy has a value but no gradient"),
        ("ActionsUnread", STOPPED, "clip=0.2 changes nothing"),
        ("LegalUnread", TOLD, "nothing is learned from `legal`", LEGAL),
        ("TerminatedUnread", TOLD, "nothing is learned from `terminated`"),
        ("CriticBeside", TOLD, "networks.critic learns, but does not act"),
        ("GradientThroughAdvantage", TOLD, "gradients flow into the value that a target adds"),
        ("AdvantageTimesZero", TOLD, "the loss term policy is 0"),
        ("SameMinibatches", TOLD, "update draws the same random numbers"),
        ("PlaysAsAnother", CHECK, "off 1 by"),
        ("OldPolicyIsNew", UNSEEN, ""),
        ("TemperatureUnread", STOPPED, "temperature=2.0 changes nothing"),
    ),
    *_of(
        "mixers",
        ("NotMonotone", TOLD, "is not monotonic"),
        ("ValuesUnread", STOPPED, "online.agents acts, but is not learned from"),
        ("FactorsDetached", TRAINING, "online.mixer.weight had no gradient"),
        ("BiasUncalled", STOPPED, "online.mixer.bias is never called"),
        ("GainUnread", STOPPED, "mixer.gain=2.0 changes nothing"),
    ),
]
SOUND = [
    Defect("value", "Sound", "", ""),
    Defect("actor_critic", "SoundActor", "", ""),
    Defect("mixers", "SoundMixer", "", ""),
    Defect("mixers", "ArrayAsDefault", "", ""),
]
