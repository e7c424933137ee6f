"""`gossamer federate gather` and `answer`: the files of a training between sites, carried by Flower."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from gossamer.cli.options import Mark
from gossamer.cli.outputs import say
from gossamer.cli.site_files import OwnRecords, finish_round, read_file, tell_answer
from gossamer.driving.federated.plan import FederatedPlan
from gossamer.errors import InputError

if TYPE_CHECKING:
    from gossamer.driving.federated.flower.gathering import Ask


@dataclass(frozen=True, kw_only=True)
class Gather:
    """Coordinate a training between sites by Flower, over TLS: ask the sites for all rounds, up to the release.

    It writes the files that `gossamer federate combine` writes. Neither side runs code that the other one sent.

    Example: gossamer federate gather plan.json --certificate link.pem --key link.key --authority ca.pem --wait 600

    Args:
        plan: plan.json, or the file of the round to go on from
        certificate: of this machine, in PEM, for the name that sites call and for localhost
        key: of the certificate
        authority: certificate in PEM that signed it. Sites need this one
        host: address to listen at. 0.0.0.0 is every one of this machine
        port: to listen at
        wait: longest time of a round, in seconds. After it the round goes on with those who answered
        out: folder of the coordinator. Default: that of the plan
    """

    plan: Annotated[Path, Mark.POSITIONAL]
    certificate: Path
    key: Path
    authority: Path
    host: str = "127.0.0.1"
    port: int = 9092
    wait: float = 3600.0
    out: Path | None = None


@dataclass(frozen=True, kw_only=True)
class AnswerRounds:
    """Answer the rounds of one plan as a site by Flower, over TLS, until it is interrupted.

    Look at the plan first: `gossamer federate show plan.json`. Rounds of any other plan are refused. Each answer is the
    one of `gossamer federate contribute`, with the same folder, ledger and cap.

    Example: gossamer federate answer plan.json --superlink HOST:9092 --authority ca.pem --site a --data x --folder a

    Args:
        plan: plan.json, as you looked at it
        superlink: HOST:PORT of the coordinator
        authority: certificate in PEM that signed the coordinator's
        site: your name in the plan
        folder: folder of your site, private, the same for all plans. It is made if it is new
        cap: largest epsilon that your site may spend in all plans together. Needed once, and kept
        records: those of the site
    """

    plan: Annotated[Path, Mark.POSITIONAL]
    superlink: str
    authority: Path
    site: str
    folder: Path
    cap: float | None = None
    records: Annotated[OwnRecords, Mark.TAKEN_OVER]


def gather(asked: Gather) -> int:
    """Ask the sites for all rounds that are left, and make the release."""
    from gossamer.driving.federated.combining import combine
    from gossamer.driving.federated.flower.gathering import Listening, coordinate

    out = asked.out or asked.plan.parent

    def work(ask: Ask) -> None:
        path: Path | None = asked.plan
        while path is not None:
            content = read_file(path)
            path = finish_round(combine(content, ask(content, str(path)), where=str(path)), out)

    if not 0 < asked.wait < float("inf"):
        raise InputError("--wait: give a number of seconds above 0")
    listening = Listening(
        host=asked.host, port=asked.port, certificate=asked.certificate, key=asked.key, authority=asked.authority
    )
    coordinate(listening, work, wait=asked.wait, note=say)
    return 0


def answer(asked: AnswerRounds) -> int:
    """Answer rounds until the process is interrupted."""
    from gossamer.driving.federated.contributing import contribute
    from gossamer.driving.federated.flower.answering import Coordinator, answer_rounds

    plan = FederatedPlan.read(read_file(asked.plan), str(asked.plan))
    terms = plan.site(asked.site)
    plan.price_of(terms)
    load = asked.records.loader(asked.folder, plan)

    def one(content: bytes) -> bytes:
        given = contribute(asked.folder, content, terms.name, load, cap=asked.cap)
        tell_answer(given)
        sys.stdout.flush()
        return given.content

    coordinator = Coordinator(superlink=asked.superlink, authority=asked.authority)
    print(f"site {terms.name}: answering the rounds of the plan {plan.digest[:12]} until interrupted", flush=True)
    answer_rounds(coordinator, plan, terms.name, one, say)
    return 0
