"""Rounds that Flower carries: who drops out, who lies, what a refusal says, and the real thing over TLS."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from federated_sites import LABELLED, MERF, all_rounds, answer, plan_for, records
from prices import priced_once

from gossamer.driving.federated.combining import combine, released
from gossamer.driving.federated.flower import answering, gathering, messages, processes
from gossamer.driving.federated.flower.messages import Reply
from gossamer.driving.federated.plan import FederatedPlan
from gossamer.driving.federated.rounds import Contribution, Round
from gossamer.driving.generator_file import load_generator
from gossamer.errors import InputError, PrivacyError, ResourceError

ROOT = Path(__file__).parents[2]
HAS_FLOWER = importlib.util.find_spec("flwr") is not None
SLOTS = {"berlin": 30, "paris": 50}
HELD = {"berlin": records(30, 1), "paris": records(50, 2)}
Answerer = Callable[[bytes], Reply | None]


@dataclass
class Nodes:
    """A grid of nodes in this process. A node that answers nothing keeps its message for good."""

    answerers: Sequence[Answerer | None]
    sent: list[tuple[int, bytes]] = field(default_factory=list)

    def get_node_ids(self) -> Iterable[int]:
        return range(len(self.answerers))

    def push_messages(self, asked: Sequence[tuple[int, bytes]]) -> list[str]:
        self.sent += asked
        return [str(node) for node, _ in asked]

    def pull_messages(self, numbers: Sequence[str]) -> Iterable[Any]:
        for node, content in self.sent:
            answerer = self.answerers[node]
            if str(node) in numbers and answerer is not None:
                yield SimpleNamespace(metadata=SimpleNamespace(reply_to_message_id=str(node)), reply=answerer(content))


@pytest.fixture(autouse=True)
def _no_flower(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages of our own in place of Flower's, and no pauses."""
    monkeypatch.setattr(gathering, "asking", lambda content, node, seconds: (node, content))
    monkeypatch.setattr(gathering, "reply_of", lambda message: message.reply)
    monkeypatch.setattr(gathering, "_PAUSE", 0.0)


@pytest.fixture
def plan() -> FederatedPlan:
    return plan_for(MERF, SLOTS)


def of(folder: Path, name: str) -> Answerer:
    return lambda content: Reply(site=name, file=answer(folder, content, name, HELD[name]).content)


def gathered(plan: FederatedPlan, answerers: Sequence[Answerer | None], wait: float = 60.0) -> tuple[list[Any], str]:
    notes: list[str] = []
    grid: Any = Nodes(answerers)
    files = gathering.gather(grid, plan.to_bytes(), "plan.json", wait=wait, note=notes.append)
    return files, "\n".join(notes)


def test_what_nodes_answer_is_what_sites_write(tmp_path: Path, plan: FederatedPlan) -> None:
    files, said = gathered(plan, [of(tmp_path, "paris"), of(tmp_path, "berlin")])
    by_files = [(name, answer(tmp_path, plan.to_bytes(), name, HELD[name]).content) for name in SLOTS]
    assert sorted(content for _, content in files) == sorted(content for _, content in by_files)
    assert combine(plan.to_bytes(), files).round.digest == combine(plan.to_bytes(), by_files).round.digest
    assert "the site paris answered" in said


def test_sums_and_then_a_teacher_come_the_same_way(tmp_path: Path) -> None:
    with priced_once():
        plan = plan_for(LABELLED, SLOTS, steps_per_round=4)
        now, kinds = Round(plan=plan), []
        while not now.is_over:
            grid: Any = Nodes([of(tmp_path, "paris"), of(tmp_path, "berlin")])
            files = gathering.gather(grid, now.to_bytes(), "round", wait=60.0, note=lambda words: None)
            kinds.append(len(Contribution.read(files[0][1], "one").tensors))
            now = Round.read(combine(now.to_bytes(), files).round.to_bytes(), "next")
        by_files = all_rounds(tmp_path, plan, HELD)
        assert now.digest == by_files.digest
        assert kinds == [1, 1, 1, 16, 16]
        released(now).check_finite()


def test_a_round_goes_on_without_a_site_that_gives_nothing(tmp_path: Path, plan: FederatedPlan) -> None:
    files, _ = gathered(plan, [of(tmp_path, "berlin"), None], wait=1.0)
    assert combine(plan.to_bytes(), files).absent == ("paris",)


def test_a_site_that_refuses_is_not_waited_for(tmp_path: Path, plan: FederatedPlan) -> None:
    files, said = gathered(plan, [of(tmp_path, "berlin"), lambda content: Reply(site="paris", file=None)])
    assert len(files) == 1
    assert "the site 'paris' refused" in said


def test_a_node_that_comes_again_within_the_round_takes_part(tmp_path: Path, plan: FederatedPlan) -> None:
    files, said = gathered(plan, [of(tmp_path, "berlin"), lambda content: None, of(tmp_path, "paris")])
    assert len(files) == 2
    assert "a node is gone" in said


def test_no_answer_at_all_is_an_error_with_the_way_out(plan: FederatedPlan) -> None:
    with pytest.raises(InputError, match=r"round 1: no site gave an answer .* start again with plan\.json"):
        gathered(plan, [None, None], wait=0.2)


def test_answers_that_do_not_belong_to_the_round_are_left_out_by_name(tmp_path: Path, plan: FederatedPlan) -> None:
    other = plan_for(MERF, SLOTS).to_bytes()
    files, said = gathered(
        plan,
        [
            lambda content: Reply(site="paris", file=b"x" * 100),
            lambda content: of(tmp_path / "other", "paris")(other),
            of(tmp_path, "berlin"),
        ],
    )
    assert len(files) == 1
    assert "a contribution to another plan" in said


def test_two_nodes_that_answer_as_one_site_are_both_left_out(tmp_path: Path, plan: FederatedPlan) -> None:
    def forged(content: bytes) -> Reply:
        one = Contribution.read(answer(tmp_path, content, "paris", HELD["paris"]).content, "x")
        halved = {name: 0.5 * tensor for name, tensor in one.tensors.items()}
        return Reply(site="paris", file=replace(one, tensors=halved).to_bytes())

    files, said = gathered(plan, [forged, of(tmp_path, "paris"), of(tmp_path, "berlin")])
    assert [name for name, _ in files] == ["the answer of berlin"]
    assert "two nodes answered as the site paris" in said


PRIVATE = "1,003 people in 1,000 slots"


@pytest.mark.parametrize("kind", [InputError, PrivacyError, ResourceError, MemoryError, KeyError])
def test_a_refusal_says_nothing_but_that(plan: FederatedPlan, kind: type[Exception]) -> None:
    def refusing(content: bytes) -> bytes:
        raise kind(PRIVATE)

    notes: list[str] = []
    assert answering.respond(plan.to_bytes(), plan, refusing, notes.append) is None
    assert len(notes) == 1


def test_a_site_answers_the_plan_that_it_was_started_for_and_no_other(plan: FederatedPlan) -> None:
    asked: list[bytes] = []

    def answerer(content: bytes) -> bytes:
        asked.append(content)
        return b"answer"

    assert answering.respond(plan.to_bytes(), plan, answerer, print) == b"answer"
    for other in (plan_for(MERF, SLOTS).to_bytes(), b"", None, b"{}", b"x" * 100):
        assert answering.respond(other, plan, answerer, print) is None
    assert asked == [plan.to_bytes()]


def test_without_the_check_of_the_plan_any_plan_would_be_answered(
    plan: FederatedPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "_check_plan", lambda content, plan: None)
    assert answering.respond(plan_for(MERF, SLOTS).to_bytes(), plan, lambda content: b"spent", print) == b"spent"


def test_flower_is_started_in_silence_and_runs_no_code_that_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []

    class Process:
        def __init__(self, words: list[str], *, env: dict[str, str], **rest: object) -> None:
            started.append((words, env))

        def terminate(self) -> None: ...

        def wait(self, seconds: float) -> None: ...

    monkeypatch.setattr(subprocess, "Popen", Process)
    place = processes.Workplace(path=tmp_path, secret=b"x" * 32)
    for kind in (processes.SUPERLINK, processes.SUPERNODE):
        with processes.running(kind, ["--port", "1"], place):
            pass
    for words, env in started:
        assert words[words.index("--isolation") + 1] == "process"
        assert (env["FLWR_TELEMETRY_ENABLED"], env["FLWR_DISABLE_UPDATE_CHECK"]) == ("0", "1")
        assert env["FLWR_HOME"].startswith(str(tmp_path))


def test_a_process_of_flower_that_ends_is_told_in_one_line(tmp_path: Path) -> None:
    place = processes.Workplace(path=tmp_path, secret=b"x" * 32)
    broken = processes.Kind(name="flower-nothing", module="nothing", function="nothing")
    words = r"^flower-nothing has ended: ModuleNotFoundError"
    with pytest.raises(ResourceError, match=words), processes.running(broken, [], place) as one:
        one.wait_for(processes.free_port())


@pytest.mark.skipif(not HAS_FLOWER, reason="Flower has an environment of its own: make test-flower")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_messages_of_flower_carry_files_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    from flwr.supercore.task_identity import TaskIdentity

    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)
    asked = messages.asking(b"round", 7, 60.0)
    assert messages.file_of(asked) == b"round"
    assert messages.reply_of(messages.answering(asked, "paris", b"answer")) == Reply(site="paris", file=b"answer")
    refusal = messages.answering(asked, "paris", None)
    assert messages.reply_of(refusal) == Reply(site="paris", file=None)
    assert dict(refusal.content.config_records["gossamer"]) == {"site": "paris"}


@pytest.mark.slow
@pytest.mark.skipif(not HAS_FLOWER, reason="Flower has an environment of its own: make test-flower")
def test_two_sites_over_tls_end_with_the_release_that_files_make(tmp_path: Path) -> None:
    """A real SuperLink and two real SuperNodes, by the example that a reader runs."""
    script = ROOT / "examples" / "sites_by_flower.py"
    done = subprocess.run(
        [sys.executable, str(script), "out"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "checks hold" in done.stdout
    out, kept = tmp_path / "out", {}
    for name in ("north", "south"):
        for path in (out / name).glob("private/plans/*/contributions/*.safetensors"):
            kept[name, int(path.name.split("-")[1])] = path.read_bytes()
    now = Round.read((out / "study" / "plan.json").read_bytes(), "plan.json")
    while not now.is_over:
        files = [(name, kept[name, now.number + 1]) for name in ("north", "south")]
        now = combine(now.to_bytes(), files).round
    wanted = released(now)
    mine = load_generator(out / "study" / "release" / "generator.safetensors")
    assert wanted.weights.keys() == mine.weights.keys()
    assert all(bool((wanted.weights[name] == mine.weights[name]).all()) for name in wanted.weights)
