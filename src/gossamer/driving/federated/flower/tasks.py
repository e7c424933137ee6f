"""Tasks of Flower's processes, done here: by our own code, in place of the bundle of code that comes with a task.

This file and `processes.py` use parts of Flower that it promises nobody, so the extra pins one version.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gossamer.driving.federated.flower.processes import PURPOSE, Workplace
from gossamer.errors import ResourceError
from gossamer.extras import from_extra

if TYPE_CHECKING:
    from flwr.app import Context
    from flwr.clientapp import ClientApp
    from flwr.serverapp import Grid, ServerApp

_PAUSE: Final = 0.5
_ACQUIRING: Final = 60.0
_ACQUIRE: Final = frozenset({"/flwr.proto.Runtime/AcquireTask"})
_BUNDLE: Final = {
    "pyproject.toml": b"""[project]
name = "gossamer-sites"
version = "1.0.0"
license = { file = "LICENSE" }
dependencies = ["flwr>=1.42.0"]
[tool.flwr.app]
publisher = "gossamer"
fab-format-version = 1
flwr-version-target = "1.42.0"
[tool.flwr.app.components]
serverapp = "nothing:nothing"
clientapp = "nothing:nothing"
""",
    "LICENSE": b"No code is in this bundle: each side runs its own.\n",
}


@dataclass(frozen=True, kw_only=True)
class Address:
    """A place at which a process of Flower hands out tasks.

    Attributes:
        server: host and port.
        authority: certificate in PEM that its own is signed by. None for one on this machine, without TLS.
    """

    server: str
    authority: bytes | None = None

    @property
    def words(self) -> dict[str, Any]:
        """The arguments of Flower's clients."""
        return {
            "server_address": self.server,
            "insecure": self.authority is None,
            "root_certificates": self.authority,
        }


def acquirer(address: Address, place: Workplace) -> Any:
    """Return a client that may ask for tasks."""
    with from_extra("federated", PURPOSE):
        from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
        from flwr.supercore.runtime import RuntimeHttpClient

    proof = SuperExecAuthHttpInterceptor(master_secret=place.secret, protected_methods=_ACQUIRE)
    version = RuntimeVersionHttpInterceptor(component_name="SuperExec")
    return RuntimeHttpClient.from_server_address(**address.words, interceptors=[version, proof])


def client_token(client: Any) -> str:
    """Ask for a task of a site. Empty if there is none now."""
    with from_extra("federated", PURPOSE):
        from flwr.proto.runtime_pb2 import AcquireTaskRequest
        from flwr.supercore.constant import TaskType

    return str(client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.CLIENT_APP])).token)


def do_client_task(address: Address, token: str, app: ClientApp) -> None:
    """Do a task of a site: pull its message, let our own application answer, and push the reply.

    Args:
        address: of the process that handed the task out.
        token: of the task.
        app: ours.
    """
    with from_extra("federated", PURPOSE):
        from flwr.common.constant import SubStatus
        from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor, RuntimeVersionHttpInterceptor
        from flwr.supercore.runtime import RuntimeHttpClient
        from flwr.supernode.runtime.run_clientapp import pull_task_input, push_message, push_task_output

    version = RuntimeVersionHttpInterceptor(component_name="flwr-clientapp")
    client = RuntimeHttpClient.from_server_address(
        **address.words, interceptors=[version, RuntimeTokenHttpInterceptor(token)]
    )
    with contextlib.closing(client), _beating(client):
        # Privacy: the last two are a run and a bundle of code. The coordinator made them, and nobody looks at them.
        message, context, _, _ = pull_task_input(client)
        push_message(client, app(message, context), context)
        push_task_output(client, context, SubStatus.COMPLETED, "")


def begin_run(address: Address) -> int:
    """Begin a run at a SuperLink, with a bundle that has no code, and return its number."""
    with from_extra("federated", PURPOSE):
        from flwr.cli.build import build_fab_from_files
        from flwr.proto.control_pb2 import StartRunRequest
        from flwr.proto.fab_pb2 import Fab

    content, _ = build_fab_from_files(_BUNDLE)
    bundle = Fab(hash_str=hashlib.sha256(content).hexdigest(), content=content)
    with contextlib.closing(_controller(address)) as control:
        return int(control.StartRun(StartRunRequest(fab=bundle)).run_id)


def do_server_task(address: Address, place: Workplace, run: int, app: ServerApp) -> None:
    """Do the task of the coordinator in a run: let our own application work with the nodes.

    Args:
        address: of the SuperLink.
        place: of the SuperLink.
        run: its number.
        app: ours.

    Raises:
        ResourceError: the SuperLink hands out no such task.
    """
    with _grid(address, _server_token(address, place, run)) as (grid, context):
        app(grid, context)


def _server_token(address: Address, place: Workplace, run: int) -> str:
    """Ask for the task of our run. Runs that others begin at the same SuperLink are left where they are."""
    with from_extra("federated", PURPOSE):
        from flwr.proto.runtime_pb2 import AcquireTaskRequest
        from flwr.supercore.constant import TaskType

    end = time.monotonic() + _ACQUIRING
    with contextlib.closing(acquirer(address, place)) as client:
        while time.monotonic() < end:
            got = client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP]))
            if got.token and got.task.run_id == run:
                return str(got.token)
            time.sleep(_PAUSE)
    raise ResourceError("the SuperLink of Flower hands out no task for its run; start again")


@contextlib.contextmanager
def _grid(address: Address, token: str) -> Iterator[tuple[Grid, Context]]:
    with from_extra("federated", PURPOSE):
        from flwr.common.constant import SubStatus
        from flwr.common.serde import context_from_proto, run_from_proto
        from flwr.proto.runtime_pb2 import PullTaskInputRequest, PushTaskOutputRequest
        from flwr.supercore.task_identity import TaskIdentity
        from flwr.superlink.grid import HttpGrid

    words = address.words
    grid = HttpGrid(words.pop("server_address"), **words, token=token)
    with contextlib.closing(grid):
        client = grid._runtime_client
        with _beating(client):
            given = client.PullTaskInput(PullTaskInputRequest())
            TaskIdentity.task_id, TaskIdentity.run_id = given.task_id, given.run.run_id
            TaskIdentity.node_id = given.context.node_id
            grid.set_run(run_from_proto(given.run))
            yield grid, context_from_proto(given.context)
            client.PushTaskOutput(PushTaskOutputRequest(sub_status=SubStatus.COMPLETED, details=""))


@contextlib.contextmanager
def _beating(client: Any) -> Iterator[None]:
    """Tell the process of Flower again and again that its task is being worked on."""
    with from_extra("federated", PURPOSE):
        from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http

    sender = HeartbeatSender(make_task_heartbeat_fn_http(client))
    sender.start()
    try:
        yield
    finally:
        if sender.is_running:
            sender.stop()


def _controller(address: Address) -> Any:
    with from_extra("federated", PURPOSE):
        from flwr.supercore.control.control_http_client import ControlHttpClient
        from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

    version = RuntimeVersionHttpInterceptor(component_name="flwr CLI")
    return ControlHttpClient.from_server_address(**address.words, interceptors=[version])
