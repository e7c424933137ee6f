"""Tiny settings of the labelled mixture."""

from __future__ import annotations

from dataclasses import replace

from gossamer.methods.labelled_mixture.settings import LabelledMixtureConfig
from gossamer.nn.labelled_settings import TeacherConfig
from tiny import Tiny
from tiny.dp_mixture import TINY as MIXTURE

IMAGES = LabelledMixtureConfig(
    mixture=replace(MIXTURE.images, noise_multiplier=None),
    teacher=TeacherConfig(hidden_sizes=(6,)),
    teacher_steps=2,
    sample_rate=0.2,
    chunk_size=8,
    noise_multiplier=0.9,
)

TINY = Tiny(
    images=IMAGES,
    people=replace(IMAGES, records_per_person=3),
    series=replace(IMAGES, mixture=replace(MIXTURE.series, noise_multiplier=None)),
    crashes=replace(IMAGES, teacher_steps=12, noise_multiplier=4.0),
    needs_classes=True,
    words=("--epsilon", "10", "--mixture.generator.num-directions", "5", "--teacher-steps", "10"),
)
