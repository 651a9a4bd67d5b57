"""The profile of training: what a compiled program costs, and where its time goes."""

import jax
import jax.numpy as jnp
import pytest
from benchmarks.hlo import Program
from benchmarks.pieces import PIECES, piece_of, print_profile, profile
from benchmarks.training import TrainingWork, Work, find_work

from covey.errors import UserError

TINY = {
    "vdn": {"experience.capacity": 40, "experience.batch_size": 4, "agent.hidden": 8},
    "ippo": {"actor.hidden": 8, "critic.hidden": 8, "epochs": 1},
}


# Breaks if a product in a loop is missed, or a large array counts where only a row of it is written.
def test_flops_and_bytes_of_instructions():
    def f(w, x, ring, n):
        after = jax.lax.fori_loop(0, 5, lambda _, x: jnp.tanh(x @ w), x)
        return jax.lax.dynamic_update_slice_in_dim(ring, after, n, 0)

    arguments = jnp.ones((16, 16)), jnp.ones((4, 16)), jnp.zeros((4000, 16)), 8
    program = Program(jax.jit(f, donate_argnums=2).lower(*arguments).compile().as_text())
    own = [x for x in program.computations.values() if any(i.operation in ("while", "dot") for i in x)]
    assert {x.name for x in program.instructions.values()} == set(program.instructions)
    assert own
    dots = [x for x in program.instructions.values() if x.operation == "dot"]
    assert [program.flops(x) for x in dots] == [2 * 4 * 16 * 16]
    updates = [x for x in program.instructions.values() if "dynamic-update-slice" in x.name]
    assert updates
    assert all(program.bytes(x) < 2000 for x in updates)  # 256 for the rows, and not 256,000 for the ring


# Breaks if JAX's names are misread: a backward pass counts as forward, or a mixer's backward not as its own.
@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("jit(f)/piece_collect/piece_acting/piece_target/dot_general", "acting"),
        ("jit(f)/piece_collect/while/body/piece_world/add", "world"),
        ("jit(f)/piece_update/piece_loss/jvp(vmap(piece_online))/dot_general", "online"),
        ("jit(f)/piece_update/piece_loss/transpose(jvp(vmap(piece_online)))/dot_general", "backward"),
        ("jit(f)/piece_update/piece_loss/transpose(jvp(vmap(piece_mixer)))/dot_general", "mixer"),
        ("jit(f)/piece_update/piece_loss/piece_exchange/psum", "exchange"),
        ("jit(f)/while/body/add", None),
    ],
)
def test_the_piece_in_a_name(name, piece):
    assert piece_of(name) == piece


# Breaks if a piece's scope is lost (its method has another name now), or if the products of the pieces are
# not those of the program.
@pytest.mark.slow
@pytest.mark.parametrize("algorithm", TINY)
def test_pieces_of_training(algorithm, capsys):
    work = Work(algorithm, TINY[algorithm], 4, "two_step")
    runs = []

    def make():
        runs.append(TrainingWork(work, 1, 60, warm=False))
        return runs[-1]

    found = profile(make, work.config(1, 60), peak=1e11)
    pieces = found["pieces"]
    expected = {"world", "acting", "forward, online", "backward", "optimiser", "exchange between devices"}
    expected |= {"replay, draw", "forward, target"} if algorithm == "vdn" else {"advantages, minibatches"}
    assert expected <= set(pieces)
    counted = runs[0].flops_per_step() * runs[0].steps  # of one device that has the seed to itself
    assert 0.9 * counted < found["whole"]["flops"] * runs[0].steps < 2.1 * counted
    print_profile("tiny", found)
    assert "not recorded" in capsys.readouterr().out


# Breaks if only the works of the table can be measured.
def test_any_algorithm_in_any_world():
    work = find_work("maddpg on pursuit", {"gamma": 0.9})
    assert work == Work("maddpg", {"gamma": 0.9}, None, "pursuit")
    assert find_work("qmix", {}).envs == 8
    with pytest.raises(UserError, match="ALGORITHM on WORLD"):
        find_work("qmox", {})
    assert len(set(PIECES.values())) == len(PIECES)
