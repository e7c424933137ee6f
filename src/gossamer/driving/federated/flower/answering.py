"""A site by Flower: a SuperNode of its own, and rounds that are answered as they come, for as long as it runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from gossamer.driving.federated.flower import tasks
from gossamer.driving.federated.flower.messages import answering, file_of
from gossamer.driving.federated.flower.processes import (
    LOOPBACK,
    PURPOSE,
    SUPERNODE,
    Started,
    Workplace,
    be_silent,
    free_port,
    running,
)
from gossamer.driving.federated.plan import FederatedPlan
from gossamer.driving.federated.rounds import Round
from gossamer.errors import GossamerError, InputError, PrivacyError, ResourceError
from gossamer.extras import from_extra, need

if TYPE_CHECKING:
    from flwr.app import Context, Message
    from flwr.clientapp import ClientApp

_PAUSE: Final = 0.5
_AGAIN: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Coordinator:
    """The place of a coordinator.

    Attributes:
        superlink: host and port.
        authority: certificate in PEM that signed the coordinator's.
    """

    superlink: str
    authority: Path

    def options(self, port: int) -> list[str]:
        """Return the options of a SuperNode that hands out tasks at a port of this machine."""
        own = ["--host", LOOPBACK, "--port", str(port)]
        return ["--superlink", self.superlink, "--root-certificates", str(self.authority), *own]

    def check(self) -> None:
        """Refuse a place that cannot be one.

        Raises:
            InputError: no port, or no certificate.
        """
        host, _, port = self.superlink.rpartition(":")
        if not host or not port.isdecimal():
            raise InputError("--superlink: give HOST:PORT of the coordinator, as its certificate names it")
        if not self.authority.is_file():
            raise InputError(f"{self.authority}: no such file; ask the coordinator for the certificate that signed its")


def answer_rounds(
    coordinator: Coordinator,
    plan: FederatedPlan,
    site: str,
    answer: Callable[[bytes], bytes],
    note: Callable[[str], None],
) -> NoReturn:
    """Answer rounds as they come, until the process is interrupted.

    Guarantee: that of `answer`, which does all that sees a record. Flower carries bytes. Its bundle of code is never
    looked at, and reasons for a refusal stay here.

    Args:
        coordinator: place of the SuperLink.
        plan: the only one that is answered.
        site: name in the plan.
        answer: makes a contribution of the file of a round, and charges it.
        note: told of refusals, and of a SuperNode that was started again.

    Raises:
        InputError: the place of the coordinator cannot be one.
    """
    need("federated", PURPOSE)
    coordinator.check()
    be_silent()
    app = client_app(plan, site, answer, note)
    while True:
        try:
            _until_it_ends(coordinator, app, note)
        except ResourceError as error:
            note(f"{error}; started again in {_AGAIN:g} s")
        time.sleep(_AGAIN)


def client_app(
    plan: FederatedPlan, site: str, answer: Callable[[bytes], bytes], note: Callable[[str], None]
) -> ClientApp:
    """Return the application of a site, as Flower knows one.

    Args:
        plan: the only one that is answered.
        site: name in the plan.
        answer: makes a contribution of the file of a round.
        note: told of refusals.
    """
    with from_extra("federated", PURPOSE):
        from flwr.clientapp import ClientApp

    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        return answering(message, site, respond(file_of(message), plan, answer, note))

    return app


def respond(
    content: bytes | None, plan: FederatedPlan, answer: Callable[[bytes], bytes], note: Callable[[str], None]
) -> bytes | None:
    """Answer a message, or refuse it without a reason.

    Guarantee: a refusal is the same, whatever was refused. Its reason may follow from records, and is told here alone.

    Args:
        content: of the file that came. None if none came.
        plan: the only one that is answered.
        answer: makes a contribution of the file of a round.
        note: told of refusals.

    Returns:
        The contribution, None for a refusal.
    """
    try:
        _check_plan(content, plan)
        return answer(content or b"")
    # Privacy: also a lack of memory or of a file, and a fault of ours, become that one word.
    except Exception as error:
        note(f"refused: {error}" if isinstance(error, GossamerError) else f"refused: {type(error).__name__}")
        return None


def _check_plan(content: bytes | None, plan: FederatedPlan) -> None:
    """Refuse the round of another plan than the one that the site was started for.

    Raises:
        InputError: no file of a round.
        PrivacyError: another plan.
    """
    # Privacy: by files a person looks at each plan. Without this line a coordinator could send one plan after another,
    # until the cap is spent.
    if Round.read(content or b"", "the message").plan.digest != plan.digest:
        raise PrivacyError(
            "a round of another plan than this site was started for; start it with that plan, if you like"
        )


def _until_it_ends(coordinator: Coordinator, app: ClientApp, note: Callable[[str], None]) -> None:
    """Start a SuperNode, and do its tasks until it ends.

    Raises:
        ResourceError: it has ended.
    """
    port = free_port()
    here = tasks.Address(server=f"{LOOPBACK}:{port}")
    with Workplace.made() as place, running(SUPERNODE, coordinator.options(port), place) as node:
        node.wait_for(port)
        with contextlib.closing(tasks.acquirer(here, place)) as client:
            while True:
                token = _token(client, node)
                if token:
                    _do(here, token, app, note)
                else:
                    time.sleep(_PAUSE)


def _token(client: object, node: Started) -> str:
    """Ask the SuperNode for a task. Empty if there is none now, or it does not answer and has not ended."""
    with from_extra("federated", PURPOSE):
        import httpx

    node.check()
    try:
        return tasks.client_token(client)
    except httpx.HTTPError:
        return ""


def _do(here: tasks.Address, token: str, app: ClientApp, note: Callable[[str], None]) -> None:
    """Do a task. Whatever comes with a message, the site goes on."""
    try:
        tasks.do_client_task(here, token, app)
    except Exception as error:
        note(f"a message could not be worked with ({type(error).__name__}); the next one may be")
