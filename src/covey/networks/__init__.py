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
from .cnn import CNN
from .distributions import (
    AbstractDistribution,
    Categorical,
    Gaussian,
    epsilon_floor,
    scale_to_bounds,
    straight_through,
)
from .entity_agent import EntityAgent
from .entity_encoders import AbstractEncoder, AttentionEncoder, HypernetworkEncoder
from .entity_mixer import EntityMixer
from .hypernetworks import Hypernetwork
from .interface import InputPart, NetworkInterface, observation_parts, state_part
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
    "CNN",
    "GRU",
    "MLP",
    "AbstractAgent",
    "AbstractDistribution",
    "AbstractEncoder",
    "AbstractMixer",
    "Activation",
    "Actor",
    "AgentCarry",
    "AgentNetworks",
    "Attention",
    "AttentionEncoder",
    "Categorical",
    "Choices",
    "Critic",
    "CriticInput",
    "EntityAgent",
    "EntityMixer",
    "FeedForward",
    "Gaussian",
    "Hypernetwork",
    "HypernetworkEncoder",
    "IndependentMixer",
    "InputPart",
    "Linear",
    "MixerInput",
    "MonotonicMixer",
    "NetworkInterface",
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
    "observation_parts",
    "scale_to_bounds",
    "single_choices",
    "state_part",
    "straight_through",
]
