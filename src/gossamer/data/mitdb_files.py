"""Digests of the recordings of the MIT-BIH Arrhythmia Database 1.0.0, as PhysioNet publishes their files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gossamer.data.published import digest_of_files

_ENDINGS: Final = ("hea", "dat", "atr")
DIGESTS: Final = {
    "100": "517da56ce55eb7e80e8f8f319720db0e9ad76fcc5d2747f71bdac457f7aa1761",
    "101": "f20f7a3e8f2c5e2a8b5d09379240ce7eb47b8f51216f9b732af2f8fb73d75870",
    "102": "ab9e665337e9b20fc75d0646dfabe995f50825d1381eef63bbacf49b26814d12",
    "103": "876132c860d5c4b9f274e6595eaa204706c2c4cb9df8acad4934be1bedd515c1",
    "104": "c2cbea941efb47f6a3a1966a784e2282f27d648a2f2eca0183893a9bc155a092",
    "105": "4b2d9ba1f1cb3a20e5f0a6aa9ace7023d9a5dae8e51d1c5379b5629b7e122c1c",
    "106": "8814994fdcfadda9cec4498ea078ca23b700f818d463bf85ca9ce6ddef40d6ed",
    "107": "898eb6cde6da360454e8db9dd1933f158c55198dc1a9adeb4ef2b459fa623ea1",
    "108": "012659dd8c0d55dce195b4f42d0f1fe08e41a99acc1980b7bf625af63f495d89",
    "109": "0572943ada4ebcd36970175f5fec26a087ca34392dadc7a0234eef0b4ab341fa",
    "111": "f648b08c4f52cd1ba104e35439e5b22e93e35c9e67e111a0d69c8127cc3cf6be",
    "112": "0efc17b345c295d3595b70adfdf981dbd6b326514249fd2d78df456686774770",
    "113": "a5a6b5effac1730f43b4f3dccfb686dc4d6c515a9f73af7c4cc4fc17a70cb0e3",
    "114": "e76cdadf710c5fd4a18adbcba3bb6207c489700f7a238b3d3bed3cd7a93889b8",
    "115": "d12582280c4728368fe7161bd3feec7faeae1d5e26b2b1e30b0482c3af56fa3f",
    "116": "77979d7b76ab59dee5cf8ff82dd5a3470c110af21e9c36c11b303ce7234c754c",
    "117": "e0e5378be630c51ac5e76fc88920805796403462f99b521bd010f85d5988c357",
    "118": "17509409dcfa16256625af0b965adcde2d49b229c8ea9b57806aea97ec15b8b3",
    "119": "23578db47a75506039e1b5719a7103292f2c48513768c3cbec724b218a980f6f",
    "121": "2a2479930cb5eead08c80a3c79210cf8b84691b0770c930864ea3b39bf733177",
    "122": "aa11e6db6028926a9b66f26c21a96368a6cfaebbf05a978bd32dd8832f0b5c1e",
    "123": "2896b16151ebdd41e1c4dc6e9cec7a8c365a732b1cf9c2c39e0d50082f3dc49a",
    "124": "36bfc43eedc3c2b47e78e5988e839af95a1d893079fe122dab4e6e0e2da728cf",
    "200": "d48365bd41c5918facabf94c6adb3389f6ad4c3533720fbe4ee563a3fbd33107",
    "201": "b617ea5b0901cbf56278e788cbde976e0026cade12dc46ef9b24c923726090af",
    "202": "8c9379cb9c940917097e0be377055ce846ad4cd9b58943f1d7d0e1486b4120f1",
    "203": "66326d7967e6f9dd0e28c18aed5e2f94c6db1f2a206ecfa52f59572fb4286418",
    "205": "4d205aaf9aa24230adad5efe5f7e19be8c6b14604efe2f38be580dd34e2a5de9",
    "207": "367afed953d08ba02f7a80a8ba539a4ae48090bbfe633f3d5708f3de2d9f017d",
    "208": "c7992d0eea80f02a6604186dac4d9758f73f0e77962afe5c5e52e7fcbd0705c1",
    "209": "f6cfeb84046eb8fb9a0de9957fa855abeb2d34fd40b5db17475dc2f016e58f4e",
    "210": "33d53aee127209b4a84a0980b0184c948dd2e69349efdfd681dc490d6d201a4a",
    "212": "3eab6b9df460f958acc0a20055fd5b9f8a248fca75a8f501b19a677ffa80ed9e",
    "213": "c73fc10adadd5dc27f74d33d4ced2ac29d5630ab283899a417504a5f4a93278b",
    "214": "5ef663b825b27c9150a42cf211d96fd68db922dcac8975a732a1685c9d75742b",
    "215": "9a589cb5a771048d8771bfe3dfeab144bdfc429daa504a921eec9e14762214fa",
    "217": "63a08ac8f25713c1e847dcc39105cbe6cee08a6ce4389a8a4be476648b0b88db",
    "219": "468709a1b2fbb0f0b3534825598c8af14dfa16f17e8663221579504be8a31b34",
    "220": "51e791562f178f10e91f2ec44d7fed611e3ee076e68ab7625ec6659561e5ec24",
    "221": "a18b0a1bf3cf2af536ea9150e34e280f0996e5ac11b7a63fb5fcdaff077ad930",
    "222": "80459c5ee0f60113ebc8c7bf2a32177349ba2f5c12bd3654d0ba03b95147d25c",
    "223": "31c2ad496cef33b69a56420f78e18d39f5f14a10226db3f5030699d938b663f3",
    "228": "d3e7dc440cccbcb032a0997f1c14d0898bc035c73f07548e62c25836b8770a94",
    "230": "ce8e7d431d3fcc356df5c1eeac06c2c22d696fd330c809632fd9782ddac8f721",
    "231": "6ada60a3582cf2d270d396cb187b43469260dbec054f71bccd49a37ef0b58cde",
    "232": "439c43740e219c2551f2927087d9350f07cb39367f3c63770f5ea080ffb44949",
    "233": "73582a285d0c282e16137b43b0a034787ee21dc52d31a0a04ec00bfd86cd7db2",
    "234": "d09c9570927f18e087f37712842d310ae480f4ed5f1ecf76b492b560925bd496",
}
"""SHA-256 of a recording: of the digests of its .hea, .dat and .atr, which are those in PhysioNet's SHA256SUMS.txt."""


def are_published(folder: Path, names: Iterable[str]) -> bool:
    """Return True if all recordings are published ones, by the bytes of their files. Any of them may be missing."""
    return all(digest_of_files(folder / f"{name}.{end}" for end in _ENDINGS) == DIGESTS.get(name) for name in names)
