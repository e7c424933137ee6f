"""`gossamer account`: epsilon from settings, or noise from a budget, without any data."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from dp_accounting.dp_event import DpEvent
from rich.console import Console
from rich.table import Table

from gossamer.cli.arguments import choose, read_arguments
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.account import AbstractAccount
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.methods.method import Method, Recipe
from gossamer.privacy.accounting import (
    calibrate_noise_multiplier,
    calibrate_noise_multiplier_by_rdp,
    epsilon_by_pld,
    epsilon_by_rdp,
    num_steps_for_budget,
    proved_epsilon,
)
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.gaussian_dp import mu_of
from gossamer.privacy.loss_grid import COARSE
from gossamer.privacy.priceable import accountable, check_numbers
from gossamer.privacy.slots import PublicSlots
from gossamer.privacy.statement import shown_epsilon
from gossamer.privacy.truncation import check_truncation, least_noise, least_truncation

_SETTINGS = (
    "epsilon_target", "num_critics", "batch_size", "draws_per_step", "critics_per_draw", "num_slots",
    "expected_batch_size", "sample_rate",
)  # fmt: skip

_MOST_TO_COUNT = 1_000.0
"""Largest epsilon for which steps are counted. Above it exponentials overflow, and the search takes long."""


def run(arguments: Sequence[str]) -> int:
    """Account for a method's settings."""
    choices = {method.name: method.account.summary for method in METHODS}
    name, rest = choose(arguments, choices, program="account", what="method")
    method = find_method(name)
    asked = read_arguments(method.account, rest, program=f"account {name}")
    asked.check()
    with accountable():
        _check_numbers(asked)
        found = _account(asked)
        found |= _sizes(method, asked, found)
    if asked.json:
        print(json.dumps(_without_infinities(found), indent=2, allow_nan=False))
    else:
        _show(found)
    return 0


def _sizes(method: Method[Any], asked: AbstractAccount, found: dict[str, Any]) -> dict[str, str]:
    """Tell the sizes that a recipe has with this noise, if they are asked for. Public facts alone decide on them."""
    if asked.sized_by is None:
        return {}
    name, number = asked.sized_by
    noise = found["noise_multiplier"]
    recipe = method.find(name)
    given = number or _published_number(recipe)
    if given is None:
        raise InputError(f"--num-slots is missing: recipe {name} is for no published set with a number of records")
    # Privacy: rate and share of the account are those that the noise was computed for.
    fields = {field.name for field in dataclasses.fields(recipe.config)}
    settings = {key: value for key, value in asked.public().items() if key in fields}
    settings["noise_multiplier"] = noise["pld"] if isinstance(noise, dict) else noise
    config = dataclasses.replace(recipe.config, **settings)
    words = method.working().sizes_in_words(method.sized(config, PublicSlots(given)))
    return {"sizes": words or f"{method.name} leaves no size to the noise"}


def _published_number(recipe: Recipe[Any]) -> int | None:
    """Return the number of training records of the published set that a recipe is for, None if there is none."""
    # The catalogue needs torch, without which all else here is told.
    from gossamer.data.catalogue import NAMED_DATA, NAMED_SERIES

    named = (*NAMED_DATA, *NAMED_SERIES)
    return next((one.num_train for one in named if recipe.suits(one.name, None)), None)


def _check_numbers(asked: AbstractAccount) -> None:
    event = asked.event(noise_multiplier=1.0, num_steps=1 if asked.num_steps is None else asked.num_steps)
    for noise, epsilon in itertools.product(asked.noise_multiplier or (None,), asked.epsilon or (None,)):
        check_numbers(event, noise, epsilon)


def _account(asked: AbstractAccount) -> dict[str, Any]:
    match asked.epsilon, asked.noise_multiplier, asked.num_steps:
        case (), (noise,), int(steps):
            found = _epsilon(asked, noise, steps)
        case (epsilon,), (), int(steps):
            found = _noise(asked, PrivacyBudget(epsilon=epsilon, delta=asked.delta), steps)
        case (epsilon,), (noise,), None:
            [[steps]] = _steps_allowed(asked)
            found = {"num_steps": {"pld": steps}, "epsilon_target": epsilon, "noise_multiplier": noise}
        case (_, *_), (_, *_), None:
            given = {"epsilon_target": list(asked.epsilon), "noise_multiplier": list(asked.noise_multiplier)}
            found = {"num_steps": {"pld": _steps_allowed(asked)}} | given
        case ((_, _, *_), _, _) | (_, (_, _, *_), _):
            raise InputError("several values are for --epsilon together with --noise-multiplier: leave --num-steps out")
        case _:
            steps = "--num-steps" if asked.num_steps is None else f"--num-steps ({asked.num_steps} here)"
            raise InputError(f"give exactly two of --epsilon, --noise-multiplier and {steps}; the third is computed")
    return found | asked.public()


def _steps_allowed(asked: AbstractAccount) -> list[list[int]]:
    """Return a row for each noise multiplier, with a number of steps for each epsilon. 0: not one step is within it."""
    if max(asked.epsilon) > _MOST_TO_COUNT:
        raise InputError(
            f"--epsilon is {max(asked.epsilon):g}: steps are counted for {_MOST_TO_COUNT:g} at most; --num-steps in "
            "place of --noise-multiplier answers for a larger budget"
        )
    budgets = [PrivacyBudget(epsilon=epsilon, delta=asked.delta) for epsilon in asked.epsilon]
    of_noise = (functools.partial(_event_of_steps, asked, noise) for noise in asked.noise_multiplier)
    return [[num_steps_for_budget(of_steps, budget) for budget in budgets] for of_steps in of_noise]


def _event_of_steps(asked: AbstractAccount, noise_multiplier: float, num_steps: int) -> DpEvent:
    return asked.event(noise_multiplier=noise_multiplier, num_steps=num_steps)


def _epsilon(asked: AbstractAccount, noise: float, steps: int) -> dict[str, Any]:
    event = asked.event(noise_multiplier=noise, num_steps=steps)
    # Refuses in one line what no accountant proves to be finite, naming delta.
    proved_epsilon(event, asked.delta, COARSE)
    epsilons = {
        "pld": epsilon_by_pld(event, asked.delta).epsilon,
        "rdp": epsilon_by_rdp(event, asked.delta).epsilon,
    }
    found = {
        "epsilon": epsilons | asked.other_epsilons(noise_multiplier=noise, num_steps=steps),
        "noise_multiplier": noise,
        "num_steps": steps,
        "mu": mu_of(event, asked.delta),
    }
    return found | _range_caveat(asked, noise, steps) | asked.published(noise, steps)


def _noise(asked: AbstractAccount, budget: PrivacyBudget, steps: int) -> dict[str, Any]:
    def of_noise(noise: float) -> DpEvent:
        return asked.event(noise_multiplier=noise, num_steps=steps)

    _check_reach(asked, budget, steps)
    multipliers = {
        "pld": calibrate_noise_multiplier(of_noise, budget).noise_multiplier,
        "rdp": _noise_by_rdp(of_noise, budget),
    }
    # A training would refuse it, after all data were read.
    check_truncation(_least_truncation(asked, multipliers["pld"], steps), asked.delta, multipliers["pld"])
    published = asked.published(multipliers["pld"], steps)
    multipliers |= asked.other_multipliers(steps, budget)
    found = {"noise_multiplier": multipliers, "epsilon_target": budget.epsilon, "num_steps": steps}
    return found | _undivided_caveat(asked, multipliers["pld"], steps) | published


def _noise_by_rdp(of_noise: Callable[[float], DpEvent], budget: PrivacyBudget) -> float:
    """Return the multiplier by RDP, infinite if no noise is enough for RDP to prove the budget."""
    try:
        return calibrate_noise_multiplier_by_rdp(of_noise, budget).noise_multiplier
    except PrivacyError:
        return math.inf


def _check_reach(asked: AbstractAccount, budget: PrivacyBudget, steps: int) -> None:
    """Refuse a budget that no training can spend, since noise so little is refused. Calibrations to it take minutes.

    Raises:
        PrivacyError: The least noise that a training permits costs less than the budget.
    """
    least = least_noise(lambda noise: _least_truncation(asked, noise, steps), budget.delta)
    # A coarse grid is enough, since it errs above.
    most = epsilon_by_pld(asked.event(noise_multiplier=least, num_steps=steps), budget.delta, COARSE).epsilon
    if most < budget.epsilon:
        raise PrivacyError(
            f"no training spends epsilon {budget.epsilon:g} with these settings: the least noise that its finite range "
            f"permits, multiplier {least:.3g}, costs at most {most:.4g}: ask for a smaller epsilon"
        )


def _least_truncation(asked: AbstractAccount, noise: float, steps: int) -> float:
    return asked.least_truncation(noise_multiplier=noise, num_steps=steps)


def _range_caveat(asked: AbstractAccount, noise: float, steps: int) -> dict[str, str]:
    """Say that no training here states this price, though the mechanism with ideal noise has it."""
    added = _least_truncation(asked, noise, steps)
    if added < asked.delta:
        return {}
    caveat = (
        f"a training refuses this noise: the finite range of drawn noise costs {added:.2g} of delta {asked.delta:g}"
    )
    return {"range_caveat": caveat}


def _undivided_caveat(asked: AbstractAccount, noise: float, steps: int) -> dict[str, str]:
    """Say that a training may refuse this noise, since the price does not know how it divides its budget."""
    if least_truncation(asked.event(noise_multiplier=noise, num_steps=steps)) < asked.delta:
        return {}
    caveat = (
        "a training may refuse this noise: the finite range of drawn noise costs too much of delta where one release "
        "takes most of the budget. gossamer train METHOD --dry-run says whether, and spends nothing"
    )
    return {"range_caveat": caveat}


def _without_infinities(tree: Any) -> Any:
    """Return a tree with None in place of each number that JSON has no word for."""
    match tree:
        case dict():
            return {name: _without_infinities(value) for name, value in tree.items()}
        case float() if not math.isfinite(tree):
            return None
        case _:
            return tree


def _show(found: dict[str, Any]) -> None:
    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    labels = {
        "pld": "by PLD (what a statement claims)",
        "rdp": "by RDP (looser, independent)",
        "fixed_pair": "one fixed pair (no accountant can go below)",
        "one_of_many": "if one of K answered each draw, by PLD",
        "replaced": "of one replaced by another, by PLD",
    }
    is_table = isinstance(found.get("epsilon_target"), list)
    if is_table:
        console.print(_table_of_steps(found), "")
    for name in () if is_table else ("epsilon", "noise_multiplier", "num_steps"):
        value = found.get(name)
        if isinstance(value, dict):
            for accountant, figure in value.items():
                table.add_row(f"{name} {labels[accountant]}", _shown(name, accountant, figure))
        elif value is not None:
            table.add_row(name, f"{value:.6g}")
    if "mu" in found:
        table.add_row("mu of Gaussian DP (from this delta up)", f"{math.ceil(found['mu'] * 1e4) / 1e4:.4f}")
    for name in (*_SETTINGS, "delta", "unit", "adjacency"):
        if name in found and not isinstance(found[name], list):
            table.add_row(name, str(found[name]))
    console.print(table)
    if "sizes" in found:
        console.print(f"\nsizes: {found['sizes']}")
    if "range_caveat" in found:
        console.print(f"\n{found['range_caveat']}")
    if "published_epsilon" in found:
        console.print(
            f"\npublished formula: epsilon {shown_epsilon(found['published_epsilon'])}. "
            f"{found['published_epsilon_caveat']}"
        )


def _shown(name: str, accountant: str, figure: float) -> str:
    """Write a computed figure. A claim of a statement is never rounded to the side that promises more."""
    match name, accountant:
        case _ if not math.isfinite(figure):
            return "none is proved"
        case "epsilon", "fixed_pair":  # what no accountant can go below
            return f"{math.floor(figure * 1000) / 1000:.3f}"
        case "epsilon", _:
            return shown_epsilon(figure)
        case "noise_multiplier", "pld" | "rdp" | "one_of_many":
            unit = 10.0 ** (math.floor(math.log10(figure)) - 5)
            return f"{math.ceil(figure / unit) * unit:.6g}"
        case _:
            return f"{figure:.6g}"


def _table_of_steps(found: dict[str, Any]) -> Table:
    table = Table("noise multiplier", box=None, pad_edge=False, title="steps allowed", title_justify="left")
    for epsilon in found["epsilon_target"]:
        table.add_column(f"epsilon {epsilon:g}", justify="right")
    for noise, steps in zip(found["noise_multiplier"], found["num_steps"]["pld"], strict=True):
        table.add_row(f"{noise:g}", *map(str, steps))
    return table
