"""The coordinator by Flower: a SuperLink of its own, and rounds that are asked of all nodes which are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gossamer.driving.federated.flower import tasks
from gossamer.driving.federated.flower.messages import Reply, asking, reply_of
from gossamer.driving.federated.flower.processes import PURPOSE, SUPERLINK, Workplace, be_silent, running
from gossamer.driving.federated.rounds import Contribution, Round
from gossamer.errors import InputError, told
from gossamer.extras import from_extra, need

if TYPE_CHECKING:
    from flwr.app import Context, Message
    from flwr.serverapp import Grid, ServerApp

_PAUSE: Final = 0.5

Ask = Callable[[bytes, str], list[tuple[str, bytes]]]
"""A function that asks all sites for their answers to a round, by its file and the name of that."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """The place at which sites reach their coordinator.

    Attributes:
        host: address that the SuperLink listens at.
        port: of the SuperLink.
        certificate: in PEM. It is for `localhost` too, since the coordinator itself comes that way.
        key: of the certificate.
        authority: certificate that signed it, which sites know.
    """

    host: str
    port: int
    certificate: Path
    key: Path
    authority: Path

    @property
    def options(self) -> list[str]:
        """The options of the SuperLink."""
        words = {
            "--host": self.host,
            "--port": str(self.port),
            "--ssl-certfile": str(self.certificate),
            "--ssl-keyfile": str(self.key),
            "--ssl-ca-certfile": str(self.authority),
        }
        return [word for pair in words.items() for word in pair]

    def check(self) -> None:
        """Refuse files that are not there.

        Raises:
            InputError: a file is missing.
        """
        for path in (self.certificate, self.key, self.authority):
            if not path.is_file():
                raise InputError(f"{path}: no such file; TLS needs a certificate, its key, and who signed it")


def coordinate(listening: Listening, work: Callable[[Ask], None], *, wait: float, note: Callable[[str], None]) -> None:
    """Start a SuperLink, and let some work ask the sites that come to it.

    Args:
        listening: place of the SuperLink.
        work: that is done while it runs.
        wait: longest time of a round, in seconds.
        note: told of answers, of refusals, and of answers that are left out.

    Raises:
        InputError: a file is missing, or no site answered.
        ResourceError: the SuperLink ends.
    """
    need("federated", PURPOSE)
    listening.check()
    be_silent()
    with Workplace.made() as place, running(SUPERLINK, listening.options, place) as link:
        link.wait_for(listening.port)
        here = tasks.Address(server=f"localhost:{listening.port}", authority=listening.authority.read_bytes())
        note(f"waiting for sites at port {listening.port}")
        tasks.do_server_task(here, place, tasks.begin_run(here), server_app(work, wait=wait, note=note))


def server_app(work: Callable[[Ask], None], *, wait: float, note: Callable[[str], None]) -> ServerApp:
    """Return the application of the coordinator, as Flower knows one.

    Args:
        work: that is done when it runs, with a function that asks all sites.
        wait: longest time of a round, in seconds.
        note: told of answers, of refusals, and of answers that are left out.
    """
    with from_extra("federated", PURPOSE):
        from flwr.serverapp import ServerApp

    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        work(lambda content, where: gather(grid, content, where, wait=wait, note=note))

    return app


def gather(
    grid: Grid, content: bytes, where: str, *, wait: float, note: Callable[[str], None]
) -> list[tuple[str, bytes]]:
    """Ask all nodes for their answers to a round, until each site has answered or time is over.

    A node that comes while the round lasts is asked too, so a site that was started anew takes part.

    Args:
        grid: of Flower, which carries messages.
        content: of the round's file.
        where: name of the file, for messages.
        wait: longest time, in seconds.
        note: told of answers, of refusals, and of answers that are left out.

    Returns:
        Name and content of each contribution, checked against the round, one for a site.

    Raises:
        InputError: no site answered.
    """
    one = _Gathering(now=Round.read(content, where), content=content, grid=grid, wait=wait, note=note)
    end = time.monotonic() + wait
    while not one.is_done and time.monotonic() < end:
        one.ask()
        one.hear()
        time.sleep(_PAUSE)
    found = [(f"the answer of {site}", answer) for site, answer in one.found.items() if answer is not None]
    if not found:
        raise InputError(
            f"round {one.now.number + 1}: no site gave an answer that counts within {wait:g} s; start again with "
            f"{where}: who answered before sends the same file, and pays nothing"
        )
    return found


@dataclass(kw_only=True, eq=False)
class _Gathering:
    """The answers to one round, as they come.

    Attributes:
        found: answer of each site. None for a site of which two different answers came.
        asked: numbers of nodes.
        open: numbers of messages without a reply.
        num_heard: number of replies that a site wrote, refusals among them.
    """

    now: Round
    content: bytes
    grid: Grid
    wait: float
    note: Callable[[str], None]
    found: dict[str, bytes | None] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    num_heard: int = 0

    @property
    def is_done(self) -> bool:
        """True if each site that is asked answered, or as many nodes as sites did and none is still at work."""
        num_sites = len(self.now.plan.sites)
        return len(self.found) == len(self.now.asked) or (not self.open and self.num_heard >= num_sites)

    def ask(self) -> None:
        """Ask the nodes that have come."""
        for node in sorted(set(self.grid.get_node_ids()) - self.asked):
            self.asked.add(node)
            sent: Iterable[str | None] = self.grid.push_messages([asking(self.content, node, self.wait)])
            self.open |= {one for one in sent if one}

    def hear(self) -> None:
        """Take the replies that have come."""
        if not self.open:
            return
        for message in self.grid.pull_messages(sorted(self.open)):
            self.open.discard(message.metadata.reply_to_message_id)
            self._take(message)

    def _take(self, message: Message) -> None:
        reply, which = reply_of(message), f"round {self.now.number + 1}"
        if reply is None:
            self.note(f"{which}: a node is gone, or does not run `gossamer federate answer`")
            return
        self.num_heard += 1
        if reply.file is None:
            # All nodes get the file of a round, and a site whose turn it is not refuses.
            if reply.site in self.now.asked or reply.site not in {site.name for site in self.now.plan.sites}:
                self.note(f"{which}: the site {told(reply.site)} refused; it can say why, and nobody else is told")
            return
        try:
            self._keep(reply, reply.file)
        except InputError as error:
            self.note(f"{error}; left out")

    def _keep(self, reply: Reply, content: bytes) -> None:
        where = f"the answer of a node that says it is {told(reply.site)}"
        site = Contribution.read(content, where).check(self.now, where).name
        if self.found.setdefault(site, content) != content:
            # One of the two is not of the site, and nobody here can tell which.
            self.found[site] = None
            raise InputError(f"round {self.now.number + 1}: two nodes answered as the site {site}, each something else")
        self.note(f"round {self.now.number + 1}: the site {site} answered")
