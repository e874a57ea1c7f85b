"""Searches as data: what they contain, what they refuse, and the real ones of the project."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grla.errors import InputError
from grla.model import build_on_meta
from grla.study import Choice, Float, Int, Limit, Search, SearchProfile, Space, When, load_search, search_names
from grla.tuning import price as prices
from grla.tuning.price import describe, price, require_possible, violations
from tests.shared import SEARCHES

CPU = torch.device("cpu")


@pytest.fixture
def search() -> Search:
    return load_search("tiny_search", SEARCHES)


@pytest.fixture
def space(search: Search) -> Space:
    return search.space("smoke", {})


def test_a_configuration_has_the_parameters_that_exist_and_becomes_a_run(space: Space) -> None:
    values = {"kernel": "relu", "gamma": 0.2, "dim": 4, "learning_rate": 1e-3}
    relu = space.configure(lambda parameter: values[parameter.name])
    assert relu == {"kernel": "relu", "dim": 4, "learning_rate": 1e-3}
    assert space.spec(relu).model.kernel.name == "relu"
    assert space.spec(relu).model.kernel.options == {}
    rbf = space.configure(lambda parameter: {**values, "kernel": "gaussian_rbf"}[parameter.name])
    assert space.changes(rbf)["model.kernel.options.gamma"] == 0.2
    assert space.spec(rbf).model.kernel.options == {"gamma": 0.2}
    assert space.spec(rbf).model.dim == 4


def test_the_base_is_a_configuration_and_trials_have_a_seed_of_their_own(space: Space) -> None:
    start = space.base_configuration()
    assert start == {"kernel": "gaussian_rbf", "gamma": 0.5, "dim": 8, "learning_rate": 5e-4}
    assert space.spec(start) == space.base
    assert space.base.seed == 1000


def test_a_profile_replaces_parameters_and_limits_by_name(search: Search) -> None:
    wider, tighter = Int("dim", "model.dim", 8, 64, step=8), Limit("num_params", 9_000)
    profile = replace(search.profiles["smoke"], parameters=(wider,), limits=(tighter,))
    space = replace(search, profiles={"smoke": profile}).space("smoke", {"model.depth": 2})
    assert [parameter.name for parameter in space.parameters] == ["kernel", "gamma", "dim", "learning_rate"]
    assert space.parameters[2] == wider
    assert space.limits == (tighter,)
    assert space.base.model.depth == 2
    assert space.costs == ("macs", "num_params")


KERNEL = Choice("kernel", "model.kernel", ("gaussian_rbf", "relu"))
GAMMA = Float("gamma", "model.kernel.options.gamma", 0.1, 1.0)
DEPTH = Int("depth", "model.depth", 1, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": ()}, r"number of parameters must be .* at least 1, got 0"),
        ({"parameters": (DEPTH, DEPTH)}, r"parameters must have different names, got \['depth', 'depth'\]"),
        (
            {"parameters": (Int("depth", "model.deptth", 1, 8),)},
            r"parameter 'depth' must be a field or option",
        ),
        (
            {"parameters": (GAMMA,)},
            r"parameter 'gamma' must be .* that the base gives, got 'model.k",
        ),
        (
            {"parameters": (Int("depth", "model.depth", 1, 4),)},
            r"'depth' must have the base's value, 6, .* got '1 to 4'",
        ),
        (
            {"parameters": (replace(GAMMA, when=When("kernel", ("relu",))), KERNEL)},
            r"parameter 'gamma': when must be one of \(none stands before\), got 'kernel'",
        ),
        (
            {"parameters": (KERNEL, replace(GAMMA, when=When("kernel", ("softmax",))))},
            r"parameter 'gamma': when must be values that 'kernel' takes, or the parameter never exists, got 'softmax'",
        ),
        (
            {"minimise": ("flops",)},
            r"minimise must be one of num_params, macs, .*, got 'flops'",
        ),
        (
            {"profiles": {"big": SearchProfile({}, 1, "", (KERNEL,))}},
            r"replaces must be the study's or",
        ),
        ({"profiles": {"big": SearchProfile({"model.dim": 56}, 1, "")}}, r"model.num_heads must divide"),
    ],
)
def test_what_does_not_fit_together_is_named(changes: dict, message: str) -> None:
    whole = Search("?", "none", (DEPTH,), {"big": SearchProfile({}, 1, "")}, name="mine")
    with pytest.raises(InputError, match=r"search 'mine', profile 'big': .*" + message):
        replace(whole, **changes).space("big", {})


def test_limits_profiles_and_files_are_checked(search: Search, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"limit of macs must be above 0, got 0"):
        Limit("macs", 0)
    with pytest.raises(InputError, match=r"limit: cost must be one of num_params, .* got 'watts'"):
        Limit("watts", 1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"search 'tiny_search': profile must be one of smoke, got 'huge'"):
        search.space("huge", {})
    (tmp_path / "broken.py").write_text("SEARCH = 3\n")
    with pytest.raises(InputError, match=r"broken.py must export SEARCH, a Search, got int"):
        load_search("broken", tmp_path)
    with pytest.raises(InputError, match=r"search must be one of broken, got 'brocken'"):
        load_search("brocken", tmp_path)


def test_costs_are_the_counted_ones_and_times_only_where_they_matter(space: Space) -> None:
    costs = price(space, space.base, CPU)
    assert costs["num_params"] == sum(p.numel() for p in build_on_meta(space.base.model).parameters())
    assert "latency_ms" not in costs
    timed = replace(space, minimise=("latency_ms",))
    assert price(timed, space.base, CPU)["latency_ms"] > 0
    broken = replace(timed, limits=(Limit("num_params", 10),))
    assert "latency_ms" not in price(broken, space.base, CPU)  # no time is spent on what is refused anyway


def test_violations_are_shares(space: Space) -> None:
    limits = (Limit("macs", 4e9), Limit("num_params", 1000), Limit("latency_ms", 5))
    found = violations(replace(space, limits=limits), {"macs": 6e9, "num_params": 1000})
    assert found == {limits[0]: 0.5}
    assert describe(found) == "macs 6,000,000,000 exceeds 4,000,000,000"


def test_an_impossible_limit_is_refused_with_what_would_be_possible(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_possible(space, CPU)
    monkeypatch.setattr(prices, "TRIES", 8)
    tight = replace(space, limits=(Limit("num_params", 100), Limit("macs", 1e12)))
    smallest = space.configure(lambda parameter: {"kernel": "none", "dim": 4}.get(parameter.name, 1e-3))
    least = price(space, space.spec(smallest), CPU)["num_params"]
    asked = r"none of 9 configurations tried keeps the limits \(num_params at most 100, macs at most 1,[0,]+\)"
    found = rf"; the least of each that was found: num_params {least:,}, macs [\d,]+; raise the limits or widen"
    with pytest.raises(InputError, match=asked + found):
        require_possible(tight, CPU)


def test_a_base_that_cannot_be_built_is_the_searchs_fault(space: Space) -> None:
    base = replace(space.base, model=replace(space.base.model, kernel="unheard_of"))
    whole = replace(space, base=base, parameters=(DEPTH,))
    with pytest.raises(InputError, match="unknown kernel 'unheard_of'"):
        require_possible(whole, CPU)


@pytest.mark.parametrize("name", search_names())
def test_every_search_of_the_project_is_possible_and_valid(name: str) -> None:
    """In every profile; random configurations obey the rules of a spec and can be built."""
    search = load_search(name)
    assert {"smoke", "quick", "standard"} <= set(search.profiles)
    numbers = random.Random(0)
    for profile in search.profiles:
        space = search.space(profile, {})
        require_possible(space, CPU)
        for _ in range(5):
            configuration = space.configure(lambda parameter: parameter.draw(numbers))
            build_on_meta(space.spec(configuration).model)


def test_the_searches_cover_what_can_be_tuned() -> None:
    paths = {one.path for name in search_names() for one in load_search(name).parameters}
    options = {f"model.kernel.options.{name}" for name in ("gamma", "taylor_order", "qk_norm")}
    model = {f"model.{name}" for name in "kernel dim depth window_size num_heads mlp_ratio norm".split()}
    assert options | model | {"train.learning_rate", "data.batch_size", "data.patch_size"} <= paths
