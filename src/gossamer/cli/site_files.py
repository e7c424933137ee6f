"""The files that travel between sites and the records behind them: read, written, and shown to people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table

from gossamer.cli.outputs import say
from gossamer.cli.series_options import AS_STORED, NOTHING_SAID, ImageOptions, SeriesOptions
from gossamer.data.records import RecordData
from gossamer.data.room import room_beside
from gossamer.data.series_choice import load_chosen
from gossamer.driving.federated.asking import InTurn
from gossamer.driving.federated.plan import MAX_PLAN_BYTES, FederatedPlan
from gossamer.errors import InputError, one_line
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.statement import shown_epsilon
from gossamer.runs.files import read_bounded, write_whole
from gossamer.runs.folder import RunFolder

if TYPE_CHECKING:
    from gossamer.driving.federated.combining import Combined
    from gossamer.driving.federated.contributing import Answer, Load
    from gossamer.driving.federated.rounds import Contribution, Round
    from gossamer.driving.federated.site_folder import JoinedPlan


@dataclass(frozen=True, kw_only=True)
class OwnRecords:
    """The records of a site, as they are read.

    Args:
        data: your records: a name from `gossamer data list`, a file or a folder
        data_dir: folder of published sets. Default: the environment variable GOSSAMER_DATA
        num_classes: public number of classes of your own labelled data
        images: how images are read
        series: how series are read
    """

    data: str
    data_dir: Path | None = None
    num_classes: int | None = None
    images: ImageOptions = AS_STORED
    series: SeriesOptions = NOTHING_SAID

    def loader(self, folder: Path, plan: FederatedPlan) -> Load:
        """Return the function that reads the records, once the site has a key.

        Args:
            folder: of the site.
            plan: with the unit that a slot holds.
        """
        unit = Unit(plan.unit)

        def load(key: UnitKey) -> RecordData:
            room = room_beside(folder)
            return load_chosen(self.data, self.data_dir, self.num_classes, self.series, key, unit, self.images, room)

        return load


def show(path: Path) -> int:
    """Tell the content of a file that travels, or the spending of a site."""
    from gossamer.driving.federated.rounds import Contribution, Round
    from gossamer.runs.tensor_file import is_tensor_file

    if path.is_dir():
        return _show_site(path)
    content, where = read_file(path), str(path)
    try:
        one = Contribution.read(content, where) if is_tensor_file(content) else None
    except InputError:
        one = None
    if one is None:
        _tell_round(Round.read(content, where))
    else:
        _tell_contribution(one)
    return 0


def _show_site(path: Path) -> int:
    from gossamer.driving.federated.site_folder import SiteFolder, price_together

    if not (RunFolder(path).private / "plans").is_dir():
        raise InputError(f"{path}: no folder of a site; `gossamer federate contribute --folder` makes one")
    with SiteFolder(path).held() as home:
        plans = home.answered()
    if not plans:
        print("this site has answered no plan yet, and spent nothing")
        return 0
    table = Table("study", "as", "epsilon", "delta", "rounds charged", box=None, pad_edge=False)
    for one in plans:
        paid = one.plan.price_of(one.terms)
        row = one.plan.study[:12], one.terms.name, shown_epsilon(paid.epsilon), f"{paid.delta:g}"
        table.add_row(*row, _charged(one))
    Console().print(table)
    spent = price_together(plans)
    print(f"together, each as planned: epsilon {shown_epsilon(spent.epsilon)} at delta {spent.delta:g}")
    return 0


def _charged(one: JoinedPlan) -> str:
    """Return the rounds that were charged, or the number of steps if a round has many."""
    if one.plan.of_method.sends_networks:
        return f"{one.ledger.num_charged_steps} steps of {one.plan.num_steps}"
    charged = ", ".join(str(step + 1) for step in one.lost_steps(0))
    return f"{charged} of {one.plan.num_rounds}"


def _tell_contribution(one: Contribution) -> None:
    import torch

    numbers = torch.cat([tensor.double().flatten() for tensor in one.tensors.values()])
    table = Table(Column(), Column(overflow="fold"), show_header=False, box=None, pad_edge=False)
    table.add_row("kind", f"contribution of a site: {_content(one)}, and nothing else")
    table.add_row("site", one_line(one.site[:40]))
    table.add_row("round", str(one.round_number + 1))
    for name, value in (("study", one.study), ("plan", one.plan_digest), ("state", one.round_digest)):
        table.add_row(name, one_line(value[:64]))
    table.add_row("numbers", f"{len(numbers)}, all finite" if bool(numbers.isfinite().all()) else "not all are finite")
    if len(numbers):
        table.add_row("smallest, largest", f"{float(numbers.min()):.6g}, {float(numbers.max()):.6g}")
        table.add_row("norm", f"{float(numbers.norm()):.6g}")
    table.add_row(
        "noise", "secret, as the site says" if one.is_secure else "INSECURE: of a test, nothing is guaranteed"
    )
    Console().print(table)


def _content(one: Contribution) -> str:
    if len(one.tensors) == 1:
        return "one noisy sum"
    return f"networks of {len(one.tensors)} tensors after a block of private steps"


def _tell_round(now: Round) -> None:
    tell_plan(now.plan)
    for number, names in enumerate(now.givers):
        print(f"round {number + 1}: {_combined(now, number)}, from {', '.join(names) or 'nobody'}")
    if not now.is_over:
        print(f"round {now.number + 1} of {now.plan.num_rounds} comes now: {_asked(now)}")


def _combined(now: Round, number: int) -> str:
    if number >= now.plan.num_sums:
        return "networks"
    return f"a sum of {now.tensors[f'sum {number + 1}'].numel()} numbers"


def _asked(now: Round) -> str:
    if now.number >= now.plan.num_sums:
        steps = now.plan.steps_of(now.number)
        asked = "each site" if len(now.asked) == len(now.plan.sites) else f"the site {', '.join(now.asked)}"
        return f"steps {steps.start + 1} to {steps.stop} of {asked}"
    return now.plan.whole.step_names[now.number]


def tell_plan(plan: FederatedPlan) -> None:
    """Tell method, form, sites and prices of a plan."""
    print(f"study {plan.study}, plan {plan.digest}")
    shape = "x".join(map(str, plan.spec.shape))
    print(
        f"{plan.of_method.name} in {plan.num_rounds} rounds, records of shape {shape}, {plan.spec.num_classes} classes"
    )
    table = Table("site", "slots", "epsilon", "delta", "noise multiplier", box=None, pad_edge=False)
    for site in plan.sites:
        row = (
            site.name,
            str(site.num_slots),
            shown_epsilon(site.epsilon),
            f"{site.delta:g}",
            f"{site.noise_multiplier:.5g}",
        )
        table.add_row(*row)
    Console().print(table)
    print(f"a slot is one {plan.unit}; somebody with records at two sites spends the epsilon of both")
    print(plan.part_of(plan.sites[0]).adjacency.describe(Unit(plan.unit)))
    if plan.of_method.sends_networks:
        print(_pace(plan))
        return
    alike = shown_epsilon(plan.whole.budget_at(plan.delta).epsilon)
    print(f"the noise of all together is that of one place with {plan.num_slots} slots at epsilon {alike}")


def _pace(plan: FederatedPlan) -> str:
    """Say the private steps of a round."""
    sums = f"{plan.num_sums} rounds of one sum each, then " if plan.num_sums else ""
    if isinstance(plan.turns, InTurn):
        steps = f"{plan.steps_per_round} private steps of one site in a round, in turn"
        return f"{sums}{steps}, {plan.num_steps} of each in all"
    return f"{sums}{plan.steps_per_round} private steps of each site in a round, {plan.num_steps} in all"


def read_file(path: Path) -> bytes:
    """Read a file that travels.

    Raises:
        InputError: it is not there, or too long.
    """
    from gossamer.runs.tensor_file import MAX_BYTES

    try:
        return read_bounded(path, MAX_BYTES if path.suffix == ".safetensors" else MAX_PLAN_BYTES)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None


def tell_answer(answer: Answer) -> None:
    """Tell a site its round, and the price of it."""
    which = f"round {answer.round_number + 1} of {answer.num_rounds}"
    if answer.is_sent_again:
        print(f"{which}: answered before; the same file is written again, and nothing is spent.")
    else:
        print(f"{which}: answered, and charged to the ledger of this site.")
    print(
        f"site {answer.terms.name}: epsilon {shown_epsilon(answer.paid.epsilon)} at delta {answer.paid.delta:g} for "
        "all rounds of this plan, by this site's own accountant"
    )
    if answer.spent is not None:
        print(f"all plans of this site together: epsilon {shown_epsilon(answer.spent.epsilon)}, within its cap")
    if answer.holds_out:
        say("the data are divided: the records held out take no part")


def finish_round(combined: Combined, out: Path) -> Path | None:
    """Write the file of the next round, or the release after the last one.

    Args:
        combined: the round that follows.
        out: folder of the coordinator.

    Returns:
        The file of the next round, None after the last.

    Raises:
        InputError: another file of this round is there already, or a release.
        ResourceError: something cannot be written.
    """
    from gossamer.driving.federated.combining import write_federated_release
    from gossamer.runs.tensor_file import MAX_BYTES

    now = combined.round
    done = f"round {now.number} of {now.plan.num_rounds}"
    for name in combined.absent:
        say(f"{done}: the site {name} gave nothing; what it has spent stays spent, and it may answer a later one")
    if not now.is_over:
        path = out / f"round-{now.number + 1}.safetensors"
        if path.exists() and read_bounded(path, MAX_BYTES) != now.to_bytes():
            raise InputError(f"{path}: another file of this round is there already; name another --out")
        write_whole(path, now.to_bytes())
        print(f"{done} is combined. Written: {path}; send it to the sites.")
        return path
    trained = write_federated_release(out, now, say)
    print(f"{done} is combined, the last. Written: {out / 'release'}")
    for claim in trained.statement.sites:
        print(f"site {claim.name}: epsilon {shown_epsilon(claim.epsilon)} at delta {claim.delta:g}")
    return None
