"""`gossamer federate`: a training between sites, by files that travel while records stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from gossamer.cli.arguments import Names, choose, read_arguments, read_known_arguments
from gossamer.cli.beforehand import DEFAULT_EPSILON
from gossamer.cli.options import Mark
from gossamer.cli.site_files import OwnRecords, finish_round, read_file, show, tell_answer, tell_plan
from gossamer.cli.sites_by_flower import AnswerRounds, Gather, answer, gather
from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.driving.federated.asking import AllAtOnce, InTurn
from gossamer.driving.federated.checking import PLAN_FILE
from gossamer.driving.federated.planning import SiteWish, make_plan
from gossamer.errors import InputError, ResourceError
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.privacy.adjacency import Unit, UnitName
from gossamer.privacy.budget import PrivacyBudget, chosen_delta
from gossamer.privacy.claim import own_version
from gossamer.runs.files import check_is_none_of, whole_file, write_whole

C = TypeVar("C")

ACTIONS = {
    "plan": "write the plan: sites, their public slots and budgets, the method and the form of the records",
    "contribute": "answer a round as a site, from your own records at your own price",
    "show": "look at a file before it leaves or after it came",
    "combine": "combine the contributions: the file of the next round, or the release",
    "gather": "coordinate by Flower: ask the sites for all rounds, up to the release",
    "answer": "answer rounds by Flower as a site, for as long as it runs",
}


@dataclass(frozen=True, kw_only=True)
class FormChoice:
    """The public form of the records.

    Args:
        shape: channels, height, width of images: 1,28,28. Channels, length of series: 1,187
        classes: names of the classes, in order: 0,1,2. Default: records without labels
        low: public lower bound of series, one for all channels or one for each
        high: public upper bound of series, likewise
        sample_rate: of series, samples a second, Hz
        channel_names: of series, one for each channel
        unit: content of a slot: one record, or all records of one person or of one recording
        recipe: name of the settings to start from. Default: by shape and slots
    """

    shape: tuple[int, ...]
    classes: Names = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    sample_rate: float | None = None
    channel_names: Names = ()
    unit: UnitName = "record"
    recipe: str | None = None

    @property
    def spec(self) -> ImageSpec | SeriesSpec:
        """The specification of the records.

        Raises:
            InputError: a shape of neither images nor series, or bounds of images.
        """
        if len(self.shape) == 3:
            if self.low or self.high or self.sample_rate is not None or self.channel_names:
                raise InputError("--low, --high, --sample-rate and --channel-names are of series: leave them out")
            channels, height, width = self.shape
            return ImageSpec(channels=channels, height=height, width=width, class_names=self.classes)
        if len(self.shape) != 2:
            raise InputError("--shape: give channels,height,width of images, or channels,length of series")
        channels, length = self.shape
        low, high = (bound * channels if len(bound) == 1 else bound for bound in (self.low, self.high))
        return SeriesSpec(
            channels=channels,
            length=length,
            low=low,
            high=high,
            sample_rate=self.sample_rate,
            channel_names=self.channel_names,
            class_names=self.classes,
        )


@dataclass(frozen=True, kw_only=True)
class PlanSites(Generic[C]):
    """Write the plan of a training between sites, by METHOD. Everything in it is public.

    Example: gossamer federate plan METHOD --sites berlin:30000,paris:30000:3 --epsilon 10 --shape 1,28,28 --out study

    Args:
        form: the public form of the records
        sites: NAME:SLOTS, NAME:SLOTS:EPSILON or NAME:SLOTS:EPSILON:DELTA of each site, slots being at least the units
            that lie there
        out: folder of the coordinator, in which plan.json is written
        epsilon: privacy budget of each site that names none. Default: 10
        delta: of each site that names none. Default: the power of ten at or below one over ten times all slots
        steps_per_round: private steps of each site in a round of networks, for a method that sends some, such as
            gs-wgan. Default: those of 20 rounds
        in_turn: a round asks one site alone, in the order of --sites, which goes on from the networks of the one
            before. For a method that sends networks. Its sums, if it has some, come before, from all sites at once
        method: settings of the method
    """

    form: Annotated[FormChoice, Mark.TAKEN_OVER]
    sites: Names
    out: Path
    epsilon: float = DEFAULT_EPSILON
    delta: float | None = None
    steps_per_round: int | None = None
    in_turn: bool = False
    method: Annotated[C, Mark.TAKEN_OVER]


@dataclass(frozen=True, kw_only=True)
class Contribute:
    """Answer a round as a site. The plan is pinned and priced here, and your own ledger is charged first.

    The file that is written has your guarantee already, against readers of the release, the coordinator and the other
    sites together. `gossamer federate show FILE` looks at it. The same round asked again gets the same file.

    Example: gossamer federate contribute plan.json --site berlin --data mine.npz --folder berlin --cap 10

    Args:
        plan: plan.json for the first round, or the file of a later round
        site: your name in the plan
        folder: folder of your site, private, the same for all plans. It is made if it is new
        cap: largest epsilon that your site may spend in all plans together. Needed once, and kept
        out: where to write the answer. Default: SITE-round-N.safetensors beside this plan
        records: those of the site
    """

    plan: Annotated[Path, Mark.POSITIONAL]
    site: str
    folder: Path
    cap: float | None = None
    out: Path | None = None
    records: Annotated[OwnRecords, Mark.TAKEN_OVER]


@dataclass(frozen=True, kw_only=True)
class ShowFile:
    """Look at a plan, the file of a round, or a contribution, as an officer would before it leaves.

    Of a site's own folder it lists the plans that were answered, and their price together.

    Example: gossamer federate show berlin-round-1.safetensors

    Args:
        file: the file, or the folder of your site
    """

    file: Annotated[Path, Mark.POSITIONAL]


@dataclass(frozen=True, kw_only=True)
class Combine:
    """Combine the contributions of a round: the next round's file, or the release after the last round.

    Sums are added. Networks are averaged by public numbers of slots. If sites take turns, a round without a
    contribution passes the turn on.

    A file that does not belong to the round is refused by name, and nothing is written. A site that gave nothing is
    named. Its charge stays, and it may answer a later one.

    Example: gossamer federate combine plan.json berlin-round-1.safetensors paris-round-1.safetensors --out study

    Args:
        files: plan.json or the file of the round that the sites answered, then their contributions
        out: folder of the coordinator. Default: that of the round's file
    """

    files: Annotated[tuple[Path, ...], Mark.POSITIONAL]
    out: Path | None = None


def run(arguments: Sequence[str]) -> int:
    """Plan a training between sites, answer rounds, look at a file, or combine answers."""
    verb, rest = choose(arguments, ACTIONS, program="federate", what="action")
    _check_no_roster(rest)
    match verb:
        case "plan":
            return _plan(rest)
        case "contribute":
            return _contribute(read_arguments(Contribute, rest, program="federate contribute"))
        case "show":
            return show(read_arguments(ShowFile, rest, program="federate show").file)
        case "gather":
            return gather(read_arguments(Gather, rest, program="federate gather"))
        case "answer":
            return answer(read_arguments(AnswerRounds, rest, program="federate answer"))
        case _:
            return _combine(read_arguments(Combine, rest, program="federate combine"))


def _check_no_roster(words: Sequence[str]) -> None:
    """Refuse a public roster of people: each site would have one of its own, and the plan has settings for all.

    Raises:
        InputError: there is one.
    """
    if any(word == "--roster" or word.startswith("--roster=") for word in words):
        raise InputError(
            "--roster: a plan has one number of critics for all sites, and the people on each site's list are another "
            "number; leave it out (--unit person protects people without a list), or let each site train by itself: "
            "`gossamer train gs-wgan --unit person --roster FILE`"
        )


def _plan(words: Sequence[str]) -> int:
    summaries = {method.name: method.summary for method in METHODS if method.works_between_sites}
    name, rest = choose(words, summaries, program="federate plan", what="method")
    method, program = find_method(name), f"federate plan {name}"
    if {"-h", "--help"} & set(rest):
        read_arguments(PlanSites[method.config], rest, program=program, method=method.recipes[0].config)
    from gossamer.methods.cost import random_records  # torch, which the help does without

    form = read_known_arguments(FormChoice, rest, program=program)
    spec = form.spec
    known = read_known_arguments(_Wished, rest, program=program)
    wishes = _wishes(known)
    slots = [wish.num_slots for wish in wishes]
    # Sums are of all sites together. Networks alone are trained at each by itself, and must suit the smallest one.
    suited = sum(slots) if method.sends_sums else min(slots)
    recipe = method.recipe_of(form.recipe, random_records(spec, 1), suited)
    asked = read_arguments(PlanSites[method.config], rest, program=program, method=recipe.config)
    taken, unit, steps = recipe.taken(asked.method), Unit(form.unit), asked.steps_per_round
    turns = InTurn() if asked.in_turn else AllAtOnce()
    plan = make_plan(asked.method, spec, taken, unit, wishes, own_version(), steps_per_round=steps, turns=turns)
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"{asked.out}: cannot be made ({error.strerror}); name another --out") from None
    path = asked.out / PLAN_FILE
    if path.exists():
        raise InputError(f"{path}: a plan is there already, which its sites may have pinned; name another --out")
    write_whole(path, plan.to_bytes())
    tell_plan(plan)
    print(f"Written: {path}. Send it to the sites; each answers with `gossamer federate contribute {PLAN_FILE}`.")
    return 0


@dataclass(frozen=True, kw_only=True)
class _Wished:
    """The sites of a plan, read before the method's settings are known.

    Args:
        sites: as they were typed
        epsilon: of each site that names none
        delta: of each site that names none
    """

    sites: Names
    epsilon: float = DEFAULT_EPSILON
    delta: float | None = None


def _wishes(known: _Wished) -> list[SiteWish]:
    parts = [one.split(":") for one in known.sites]
    try:
        number = sum(int(part[1]) for part in parts)
        delta = chosen_delta(known.delta, number)
        return [_wish(part, known.epsilon, delta) for part in parts]
    except (IndexError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("--sites: give NAME:SLOTS, and if you like :EPSILON and :DELTA, for each site") from None


def _wish(part: Sequence[str], epsilon: float, delta: float) -> SiteWish:
    name, slots, *own = part
    if len(own) > 2:
        raise ValueError("too many parts")
    numbers = [*map(float, own), *(epsilon, delta)[len(own) :]]
    return SiteWish(name=name, num_slots=int(slots), budget=PrivacyBudget(epsilon=numbers[0], delta=numbers[1]))


def _contribute(asked: Contribute) -> int:
    from gossamer.driving.federated.contributing import contribute
    from gossamer.driving.federated.rounds import Round

    content = read_file(asked.plan)
    now = Round.read(content, str(asked.plan))
    site = now.plan.site(asked.site).name
    out = asked.out or asked.plan.parent / f"{site}-round-{now.number + 1}.safetensors"
    check_is_none_of(out, (asked.records.data, str(asked.plan)))
    earlier = read_file(out) if out.is_file() else b""
    load = asked.records.loader(asked.folder, now.plan)
    answer = contribute(asked.folder, content, site, load, cap=asked.cap, where=str(asked.plan), earlier=earlier)
    with whole_file(out) as file:
        file.write(answer.content)
    tell_answer(answer)
    print(f"Written: {out}. It may leave; `gossamer federate show {out}` looks at it.")
    return 0


def _combine(asked: Combine) -> int:
    from gossamer.driving.federated.combining import combine

    first, *rest = asked.files
    content = read_file(first)
    combined = combine(content, [(str(path), read_file(path)) for path in rest], where=str(first))
    finish_round(combined, asked.out or first.parent)
    return 0
