"""What a run leaves behind: exactly the promised files, a true statement, and nothing private in the release."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dp_accounting
import numpy as np
import pytest
import torch
from dp_accounting import rdp
from PIL import Image
from safetensors import safe_open

from gossamer.cli.following import follow
from gossamer.cli.watching import Watching
from gossamer.data.catalogue import load_records
from gossamer.driving.job import TrainingJob, data_digest
from gossamer.driving.run import begin_run
from gossamer.privacy.accounting import fixed_pair_epsilon
from gossamer.privacy.events import one_of_many_event
from gossamer.privacy.keystream import KEY_BYTES
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key

RUN_LENGTH = 16
"""Bytes that two contents must share to count as copied, of pixels."""
LONG_RUN = 32
"""The same of numbers: eight of float32. Four drawn values of 256 levels stand in a record by chance now and then."""


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a folder as it lies there, and unpacked: arrays, tensors, pixels and text of a header."""
    for path in folder.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(folder))
            yield name, path.read_bytes()
            yield from ((f"{name} unpacked", content) for content in unpacked(path))


def unpacked(path: Path) -> Iterator[bytes]:
    match path.suffix:
        case ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                for array in arrays.values():
                    yield array.tobytes()
                    yield np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8).tobytes()
        case ".png":
            with Image.open(path) as picture:
                yield picture.tobytes()
                yield repr(picture.info).encode()
        case ".safetensors":
            with safe_open(path, framework="np") as tensors:
                yield repr(tensors.metadata()).encode()
                for name in tensors.keys():  # noqa: SIM118
                    yield tensors.get_tensor(name).tobytes()


def runs_of(secret: bytes, stride: int) -> set[bytes]:
    """Stretches of a secret, but for those of one repeated number, which may stand anywhere by chance."""
    length = RUN_LENGTH if stride == 1 else LONG_RUN
    parts = (secret[at : at + length] for at in range(0, len(secret) - length + 1, stride))
    return {part for part in parts if len({part[at : at + stride] for at in range(0, length, stride)}) > 2}


def copied(secrets: Iterable[set[bytes]], folder: Path) -> list[str]:
    """Names of the contents in which a stretch of a secret stands."""
    wanted = set().union(*secrets)
    assert wanted
    lengths = {len(part) for part in wanted}
    return [
        name
        for name, content in contents(folder)
        if any(content[at : at + length] in wanted for length in lengths for at in range(len(content) - length + 1))
    ]


def spellings(secret: bytes) -> list[bytes]:
    """Ways in which a few secret bytes could be written down."""
    number = int.from_bytes(secret, "little"), int.from_bytes(secret, "big")
    return [
        secret,
        secret[::-1],
        secret.hex().encode(),
        secret.hex().upper().encode(),
        base64.b64encode(secret).rstrip(b"="),
        base64.urlsafe_b64encode(secret).rstrip(b"="),
        *(str(each).encode() for each in number),
        # Part of it would do, too.
        secret[:RUN_LENGTH],
        secret[-RUN_LENGTH:],
        secret.hex()[:32].encode(),
    ]


def told(secrets: Iterable[bytes], folder: Path) -> list[str]:
    wanted = list(secrets)
    assert wanted
    return [name for name, content in contents(folder) if any(secret in content for secret in wanted)]


def tensors_in(tree: Any) -> Iterator[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        yield tree
    if isinstance(tree, dict):
        for value in tree.values():
            yield from tensors_in(value)


def chunk(path: Path) -> dict[str, torch.Tensor]:
    """Critics as they were kept when they were warm, of whichever run."""
    return torch.load(path, weights_only=True)["tensors"]


def critic_tensors(folder: Path) -> Iterator[torch.Tensor]:
    for path in (folder / "private" / "warm_start").glob("*.pt"):
        yield from tensors_in(chunk(path))
    for path in (folder / "private" / "checkpoints").glob("*.pt"):
        yield from tensors_in(torch.load(path, weights_only=True)["state"]["critics"])


# ---- what is there -------------------------------------------------------------------------------------------------


def test_a_run_leaves_exactly_the_promised_files(run: Any) -> None:
    assert files(run.path) == sorted(
        [
            "config.json",
            "environment.json",
            "released.json",
            "release/PRIVACY.md",
            "release/README.md",
            "release/generator.safetensors",
            "release/manifest.json",
            "release/privacy.json",
            "release/samples/README.md",
            "release/samples/croissant.json",
            "release/samples/grid.png",
            "release/samples/samples.npz",
            "private/checkpoints/step-00000011.json",
            "private/checkpoints/step-00000011.pt",
            "private/data.sha256",
            "private/plan.json",
            "private/release.sha256",
            "private/settings.sha256",
            "private/ledger.jsonl",
            "private/released.jsonl",
            "private/run.json",
            "private/units.key",
            "private/lock",
            "private/metrics.jsonl",
            *(f"private/warm_start/stage-0-critics-{first:06d}-{first + 5:06d}.pt" for first in (0, 5, 10)),
        ]
    )


def test_the_statement_is_complete_and_the_same_everywhere(run: Any) -> None:
    statement = json.loads((run.path / "release" / "privacy.json").read_text())
    assert {"epsilon", "delta", "adjacency", "unit", "mechanism"} <= set(statement)
    assert statement["is_secure"] is True
    assert statement["num_slots"] == 60
    assert statement["unit"] == "record"
    with safe_open(run.path / "release" / "generator.safetensors", framework="np") as generator:
        assert json.loads(generator.metadata()["gossamer"])["statement"] == statement
    text = (run.path / "release" / "PRIVACY.md").read_text()
    figure = re.search(r"\(([0-9.]+), 0\.001\)-differentially private", text)
    assert figure is not None
    assert statement["epsilon"] <= float(figure[1]) < statement["epsilon"] + 0.0011
    assert f"epsilon = {figure[1]}" in run.out


def test_the_epsilon_claimed_lies_between_one_fixed_pair_and_an_accountant_that_is_not_ours(run: Any) -> None:
    statement = json.loads((run.path / "release" / "privacy.json").read_text())
    parameters, noise = statement["parameters"], statement["noise_multiplier"]
    num_critics, num_steps, draws = (parameters[name] for name in ("num_critics", "num_steps", "draws_per_step"))
    answers = parameters["batch_size"] // draws
    # The contract's event, written down here anew.
    event = dp_accounting.SelfComposedDpEvent(
        dp_accounting.SampledWithoutReplacementDpEvent(
            num_critics, 1, dp_accounting.SelfComposedDpEvent(dp_accounting.GaussianDpEvent(noise), answers)
        ),
        num_steps * draws,
    )
    accountant = rdp.RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
    accountant.compose(event)
    ours = one_of_many_event(
        num_critics=num_critics,
        noise_multiplier=noise,
        num_steps=num_steps,
        batch_size=parameters["batch_size"],
        draws_per_step=draws,
    )
    assert fixed_pair_epsilon(ours, statement["delta"]).epsilon <= statement["epsilon"]
    assert statement["epsilon"] <= accountant.get_epsilon(statement["delta"])
    settings = json.loads((run.path / "config.json").read_text())["method"]
    for name in ("num_critics", "num_steps", "batch_size", "draws_per_step"):
        assert settings[name] == parameters[name]


def test_the_ledger_paid_for_every_step(run: Any) -> None:
    lines = [json.loads(line) for line in (run.path / "private" / "ledger.jsonl").read_text().splitlines()]
    assert sum(line["num_steps"] for line in lines) == 11


def test_the_settings_on_disk_run_again_to_the_same_claim_with_other_noise(run: Any, tmp_path: Path) -> None:
    job = TrainingJob.read(RunFolder(run.path))
    anew = begin_run(tmp_path / "again", job, job.load(read_key(RunFolder(run.path))))
    folder = anew.folder
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert follow(anew, Watching(plain=True)) == 0
    assert json.loads((folder.path / "config.json").read_text()) == json.loads((run.path / "config.json").read_text())
    first, again = run.path / "release", folder.release
    claims = [json.loads((release / "privacy.json").read_text()) for release in (first, again)]
    assert claims[0].pop("run_id") != claims[1].pop("run_id")
    assert claims[0] == claims[1]
    assert (again / "generator.safetensors").read_bytes() != (first / "generator.safetensors").read_bytes()
    # What is not noise is the same: the warm start saw the same shards, tapes and weights.
    for path in (run.path / "private" / "warm_start").iterdir():
        other = chunk(folder.warm_start / path.name)
        assert all(torch.equal(tensor, other[name]) for name, tensor in chunk(path).items())


# ---- what is not there ---------------------------------------------------------------------------------------------


def test_the_key_was_drawn_from_the_operating_system_and_stands_in_no_file(run: Any) -> None:
    secret = [key for key in run.keys if key in run.drawn]
    assert secret
    assert all(len(key) == KEY_BYTES for key in secret)
    assert told((spelling for key in secret for spelling in spellings(key)), run.path) == []


def test_the_key_that_deals_units_stands_in_one_private_file_and_nothing_follows_from_it_outside(run: Any) -> None:
    key = bytes.fromhex((run.path / "private" / "units.key").read_text())
    assert key in run.drawn
    assert told(spellings(key), run.path) == ["private/units.key"]
    assert told([read_key(RunFolder(run.path)).digest.encode()], run.path / "release") == []
    identity = json.loads((run.path / "private" / "run.json").read_text())["run_id"]
    assert bytes.fromhex(identity) in run.drawn
    assert told([identity.encode()], run.path / "release") != []


@pytest.mark.parametrize("how", range(len(spellings(b"x" * KEY_BYTES))))
def test_a_key_that_was_written_down_would_be_found(tmp_path: Path, how: int) -> None:
    key = os.urandom(KEY_BYTES)
    (tmp_path / "notes.txt").write_bytes(b"before " + spellings(key)[how] + b" after")
    assert told(spellings(key), tmp_path) == ["notes.txt"]


def test_no_part_of_a_record_stands_in_the_release(run: Any) -> None:
    scaled = (run.records / np.float32(255)).astype(np.float32)
    loaded = load_records(str(run.data), None, 2).train.x.numpy()
    secrets = [runs_of(record.tobytes(), 1) for record in run.records]
    secrets += [runs_of(record.tobytes(), 4) for record in (*scaled, *loaded, *scaled.astype(np.float64))]
    assert copied(secrets, run.path / "release") == []


def test_no_part_of_a_critic_stands_in_the_release(run: Any) -> None:
    secrets = [runs_of(tensor.numpy().tobytes(), 4) for tensor in critic_tensors(run.path)]
    assert len(secrets) > 3
    assert copied(secrets, run.path / "release") == []
    # They do stand in private/, so the search finds what there is to find.
    assert copied(secrets, run.path / "private") != []


def test_a_record_that_was_slipped_into_the_samples_would_be_found(run: Any, tmp_path: Path) -> None:
    secrets = [runs_of(record.tobytes(), 1) for record in run.records]
    x = np.zeros((3, 1, 8, 8), dtype=np.float32)
    x[1] = run.records[7] / np.float32(255)
    np.savez_compressed(tmp_path / "samples.npz", x=x)
    Image.fromarray(run.records[8, 0]).save(tmp_path / "grid.png")
    assert set(copied(secrets, tmp_path)) == {"samples.npz unpacked", "grid.png unpacked"}


def test_no_digest_of_the_records_stands_in_the_release(run: Any) -> None:
    images = load_records(str(run.data), None, 2).train
    digests = [data_digest(images), *(hashlib.sha256(record.tobytes()).hexdigest() for record in run.records)]
    digests.append(hashlib.sha256(run.data.read_bytes()).hexdigest())
    digests.append(hashlib.sha256(images.x.numpy().tobytes()).hexdigest())
    secrets = [form for digest in digests for form in (digest.encode(), bytes.fromhex(digest))]
    assert told(secrets, run.path / "release") == []
    # The private side keeps it, and marks its checkpoints and warm critics with it.
    marked = sorted(f"warm_start/{path.name}" for path in (run.path / "private" / "warm_start").iterdir())
    assert sorted(told(secrets, run.path / "private")) == ["checkpoints/step-00000011.json", "data.sha256", *marked]


def test_no_loss_on_real_data_stands_in_the_release(run: Any) -> None:
    lines = (run.path / "private" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["critic_loss"] for line in lines]
    assert len(losses) == 11
    secrets = [
        form
        for loss in losses
        for form in (f"{loss:.6f}".encode(), np.float32(loss).tobytes(), np.float64(loss).tobytes())
    ]
    assert told(secrets, run.path / "release") == []


def test_no_path_no_host_and_no_name_of_the_data_stands_in_the_release(run: Any) -> None:
    secrets = ["ward-seven", "patients", str(run.path), f"{Path.home()}/", f"{Path.cwd()}/"]
    host = os.uname().nodename
    secrets += [host] if len(host) > 6 else []  # a shorter one stands in random bytes by chance
    assert told((secret.encode() for secret in secrets), run.path / "release") == []


def test_the_release_names_no_key_seed_checkpoint_or_count_of_labels(run: Any) -> None:
    def keys(tree: Any) -> Iterator[str]:
        if isinstance(tree, dict):
            yield from tree
            for value in tree.values():
                yield from keys(value)
        if isinstance(tree, list):
            for value in tree:
                yield from keys(value)

    release = run.path / "release"
    with safe_open(release / "generator.safetensors", framework="np") as generator:
        header = generator.metadata()
        names = set(generator.keys())
    assert set(header) == {"gossamer"}
    assert set(json.loads(header["gossamer"])) == {"format", "recipe", "statement"}
    found = set(keys(json.loads(header["gossamer"])))
    for word in ("seed", "key", "loss", "path", "counts", "histogram", "digest", "data"):
        assert not [name for name in found if word in name]
    assert not [name for name in names if "critic" in name or "moment" in name]
    with np.load(release / "samples" / "samples.npz", allow_pickle=False) as samples:
        assert set(samples) == {"x", "y"}
        assert np.bincount(samples["y"]).tolist() == [500, 500]  # public law: in turn


def test_the_folders_of_the_run_hold_no_code_to_run_on_reading(run: Any) -> None:
    """Everything private is read back by the reader of tensors alone."""
    for path in (run.path / "private").rglob("*.pt"):
        torch.load(path, weights_only=True)
    assert not list(run.path.rglob("*.pkl"))
