"""Networks: layers, agents, actors, critics, mixers, hypernetworks."""

from .actors import Actor, Critic, CriticInput, action_critic_inputs, observation_inputs
from .agents import (
    AbstractAgent,
    AgentCarry,
    AgentNetworks,
    FeedForward,
    Recurrent,
    Sharing,
    agent_inputs,
    init_agent_carry,
)
from .attention import Attention, TransformerBlock
from .distributions import (
    AbstractDistribution,
    Categorical,
    Gaussian,
    epsilon_floor,
    scale_to_bounds,
    straight_through,
)
from .hypernetworks import Hypernetwork
from .layers import GRU, MLP, Activation, Linear, layer_norm
from .mixers import (
    AbstractMixer,
    Choices,
    IndependentMixer,
    MixerInput,
    MonotonicMixer,
    SumMixer,
    UnrestrictedMixer,
    single_choices,
)

__all__ = [
    "GRU",
    "MLP",
    "AbstractAgent",
    "AbstractDistribution",
    "AbstractMixer",
    "Activation",
    "Actor",
    "AgentCarry",
    "AgentNetworks",
    "Attention",
    "Categorical",
    "Choices",
    "Critic",
    "CriticInput",
    "FeedForward",
    "Gaussian",
    "Hypernetwork",
    "IndependentMixer",
    "Linear",
    "MixerInput",
    "MonotonicMixer",
    "Recurrent",
    "Sharing",
    "SumMixer",
    "TransformerBlock",
    "UnrestrictedMixer",
    "action_critic_inputs",
    "agent_inputs",
    "epsilon_floor",
    "init_agent_carry",
    "layer_norm",
    "observation_inputs",
    "scale_to_bounds",
    "single_choices",
    "straight_through",
]
