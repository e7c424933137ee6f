"""Messages of Flower with our files in them: a round as it is asked, and an answer or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gossamer.driving.federated.flower.processes import PURPOSE
from gossamer.extras import from_extra

if TYPE_CHECKING:
    from flwr.app import Message

QUERY: Final = "query"
"""The type of our messages, as Flower names it."""
_RECORD: Final = "gossamer"
_FILE: Final = "file"
_SITE: Final = "site"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A reply of a node. Nothing in it is trusted.

    Attributes:
        site: name that the node gives itself.
        file: of the contribution. None if the site refused.
    """

    site: str
    file: bytes | None


def asking(content: bytes, node: int, seconds: float) -> Message:
    """Make the message that asks a node for its answer to a round.

    Args:
        content: of the round's file.
        node: of Flower.
        seconds: that the message lives.
    """
    with from_extra("federated", PURPOSE):
        from flwr.app import ConfigRecord, Message, RecordDict

    return Message(RecordDict({_RECORD: ConfigRecord({_FILE: content})}), node, QUERY, ttl=seconds)


def file_of(message: Message) -> bytes | None:
    """Return the file of a round from a message. None if it has none."""
    content = _value(message, _FILE)
    return content if isinstance(content, bytes) else None


def answering(message: Message, site: str, content: bytes | None) -> Message:
    """Make the reply of a site: its contribution, or a refusal.

    Guarantee: a refusal is one word, whatever its reason is. The reason may follow from records, and stays at the site.

    Args:
        message: that asked.
        site: name of the site in the plan.
        content: of the contribution. None for a refusal.
    """
    with from_extra("federated", PURPOSE):
        from flwr.app import ConfigRecord, Message, RecordDict

    # Privacy: no word of an error leaves here. "1,003 people in 1,000 slots" would be a count, without any noise.
    record: dict[str, Any] = {_SITE: site} if content is None else {_SITE: site, _FILE: content}
    return Message(RecordDict({_RECORD: ConfigRecord(record)}), reply_to=message)


def reply_of(message: Message) -> Reply | None:
    """Read a reply. None if no site wrote it: the node is gone, or runs something else."""
    if message.has_error():
        return None
    site, content = _value(message, _SITE), _value(message, _FILE)
    if not isinstance(site, str):
        return None
    return Reply(site=site, file=content if isinstance(content, bytes) else None)


def _value(message: Message, name: str) -> object:
    record = message.content.config_records.get(_RECORD) if message.has_content() else None
    return None if record is None else record.get(name)
