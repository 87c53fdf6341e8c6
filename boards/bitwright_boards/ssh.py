"""A board's Linux over SSH: commands, files, and a process that ends when the connection does.

paramiko does the protocol; this module turns what it and sockets raise into errors that say what to do. The host's
key must be known (known_hosts), or be accepted by its fingerprint.
"""

import base64
import hashlib
import shlex
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitwright_boards.errors import ConnectionLostError, HostError, HostKeyError, JobError, LoginError
from bitwright_core.errors import ToolError
from bitwright_core.extras import install

KEEPALIVE_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Login:
    """Where a board is and how to log in. `accept_key` is a fingerprint, as in SHA256:..., of a key to trust."""

    host: str
    user: str = "xilinx"
    port: int = 22
    password: str | None = field(default=None, repr=False)
    key: Path | None = None
    accept_key: str | None = None
    known_hosts: Path | None = None  # default ~/.ssh/known_hosts
    timeout: float = 15.0  # to connect, and for a short command

    @property
    def known_hosts_file(self) -> Path:
        return Path("~/.ssh/known_hosts").expanduser() if self.known_hosts is None else self.known_hosts

    @property
    def name(self) -> str:
        """The host as known_hosts has it."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a command left."""

    status: int
    output: str
    errors: str


def fingerprint(key: Any) -> str:
    """SHA256:..., as OpenSSH prints it, of a paramiko key."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


class Connection:
    """An open connection. Close it, or use `with`."""

    needs_root = True  # the FPGA's registers are root's

    def __init__(self, login: Login):
        """Connects and logs in. Raises HostError, HostKeyError, LoginError, or ToolError without paramiko."""
        try:
            import paramiko
        except ModuleNotFoundError:
            raise ToolError(
                f"programming over SSH needs paramiko, which is not installed: {install('board')}"
            ) from None

        self.login = login
        self._client = client = paramiko.SSHClient()
        client.set_missing_host_key_policy(_policy(login, paramiko))
        known = login.known_hosts_file
        where = login.name
        try:
            if known.is_file():
                client.load_host_keys(str(known))
            client.connect(
                login.host,
                port=login.port,
                username=login.user,
                password=login.password,
                key_filename=None if login.key is None else str(login.key),
                timeout=login.timeout,
                banner_timeout=login.timeout,
                auth_timeout=login.timeout,
                allow_agent=login.password is None,
                look_for_keys=login.password is None and login.key is None,
            )
        except BaseException as error:
            client.close()
            raise _explain(error, login, where, paramiko) from None
        transport = client.get_transport()
        assert transport is not None
        transport.set_keepalive(KEEPALIVE_SECONDS)
        self._transport = transport

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def lost(self, what: str) -> ConnectionLostError:
        return ConnectionLostError(f"the connection to {self.login.name} broke while {what}; run it again")

    def run(self, command: str, *, what: str, feed: bytes = b"", timeout: float | None = None) -> Finished:
        """Runs `command` in the user's shell with `feed` as its input. Raises ConnectionLostError, or JobError if it
        takes more than `timeout` seconds."""
        process = self.start(command, what=what)
        limit = time.monotonic() + (self.login.timeout if timeout is None else timeout)
        try:
            process.send(feed)
            process.end_input()
            output, errors = b"", b""
            while not process.ended:
                if time.monotonic() > limit:
                    raise JobError(f"{what} on {self.login.name} takes too long; it was stopped", kind="Slow")
                output += process.take()
                errors += process.take_errors()
                time.sleep(0.01)
            output += process.take(rest=True)
            errors += process.take_errors(rest=True)
            return Finished(
                status=process.status(what),
                output=output.decode(errors="replace"),
                errors=errors.decode(errors="replace"),
            )
        finally:
            process.close()

    def start(self, command: str, *, what: str) -> "Process":
        """Starts `command` in the user's shell."""
        import paramiko

        try:
            channel = self._transport.open_session(timeout=self.login.timeout)
            channel.exec_command(command)
        except (paramiko.SSHException, OSError, EOFError):
            raise self.lost(what) from None
        return Process(channel, self)

    def upload(self, files: dict[str, bytes], folder: str) -> Iterator[tuple[str, int]]:
        """Writes `files` into `folder`, an absolute path; yields each name and the bytes so far.

        Raises OSError for what the other side refuses, ConnectionLostError.
        """
        import paramiko

        done = 0
        try:
            with paramiko.SFTPClient.from_transport(self._transport) or _no_sftp(self.login) as sftp:
                for name, content in files.items():
                    with sftp.open(f"{folder}/{name}", "wb") as file:
                        file.set_pipelined(True)
                        file.write(content)
                    # errors of pipelined writes are not told: a full disk shows here
                    arrived = sftp.stat(f"{folder}/{name}").st_size
                    if arrived != len(content):
                        raise OSError(f"{name} has {arrived} bytes there, not {len(content)}")
                    done += len(content)
                    yield name, done
        except (paramiko.SSHException, EOFError, ConnectionError):
            raise self.lost("copying files") from None
        except OSError:
            if not self._transport.is_active():
                raise self.lost("copying files") from None
            raise

    def download(self, path: str) -> bytes:
        """The content of a file. Raises JobError if it is not there."""
        import paramiko

        try:
            with (
                paramiko.SFTPClient.from_transport(self._transport) or _no_sftp(self.login) as sftp,
                sftp.open(path, "rb") as file,
            ):
                file.prefetch()
                return bytes(file.read())
        except FileNotFoundError:
            raise JobError(f"{self.login.name} has no {path}, though its job ended well", kind="NoResults") from None
        except (paramiko.SSHException, EOFError, OSError):
            raise self.lost("fetching results") from None


class Process:
    """A command on the other side. Closing it closes its input."""

    def __init__(self, channel: Any, connection: Connection):
        self._channel = channel
        self._connection = connection
        channel.settimeout(connection.login.timeout)

    @property
    def ended(self) -> bool:
        """True if it has ended, or the connection has; output may still wait."""
        return bool(self._channel.exit_status_ready() or self._channel.closed or not self._connection._transport.active)

    def send(self, data: bytes) -> None:
        """Writes to the process' input; what a process that has ended no longer takes is dropped."""
        with suppress(OSError):
            self._channel.sendall(data)

    def end_input(self) -> None:
        with suppress(OSError, EOFError):
            self._channel.shutdown_write()

    def take(self, *, rest: bool = False) -> bytes:
        """What it has written since the last call, or all up to its end."""
        return self._take(self._channel.recv_ready, self._channel.recv, rest)

    def take_errors(self, *, rest: bool = False) -> bytes:
        return self._take(self._channel.recv_stderr_ready, self._channel.recv_stderr, rest)

    @staticmethod
    def _take(ready: Any, receive: Any, rest: bool) -> bytes:
        got = b""
        with suppress(socket.timeout):
            while ready() or rest:
                part = receive(65536)
                if not part:
                    break
                got += part
        return got

    def status(self, what: str) -> int:
        """The exit status of the process. Raises ConnectionLostError if none came."""
        status = self._channel.recv_exit_status() if self._channel.exit_status_ready() else -1
        if status < 0:
            raise self._connection.lost(what)
        return int(status)

    def close(self) -> None:
        with suppress(OSError, EOFError):
            self._channel.close()


def _no_sftp(login: Login) -> Any:
    raise JobError(f"{login.name} has no SFTP; turn on sshd's subsystem sftp", kind="NoSftp")


def _policy(login: Login, paramiko: Any) -> Any:
    class Policy(paramiko.MissingHostKeyPolicy):
        """An unknown key is refused, unless its fingerprint was given; then it is remembered."""

        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
            shown = fingerprint(key)
            if login.accept_key is None:
                raise HostKeyError(
                    f"the key of {login.name} is not known: {key.get_name()} {shown}; if that is the board's, "
                    f"run it again with --accept-host-key {shown}"
                )
            if login.accept_key != shown:
                raise HostKeyError(
                    f"the key of {login.name} is {key.get_name()} {shown}, not {login.accept_key}; "
                    "this may be another machine"
                )
            file = login.known_hosts_file
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with file.open("a") as known:
                known.write(f"{hostname} {key.get_name()} {key.get_base64()}\n")

    return Policy()


def _explain(error: BaseException, login: Login, where: str, paramiko: Any) -> BaseException:
    """What to tell for an error of connecting; other errors are given back as they are."""
    address = f"{login.host}, port {login.port}"
    if isinstance(error, HostKeyError):
        return error
    if isinstance(error, paramiko.BadHostKeyException):
        removal = f"ssh-keygen -f {shlex.quote(str(login.known_hosts_file))} -R {shlex.quote(where)}"
        return HostKeyError(
            f"the key of {where} has changed: it is {fingerprint(error.key)}, not {fingerprint(error.expected_key)}; "
            f"if the board was set up anew: {removal}"
        )
    if isinstance(error, paramiko.PasswordRequiredException):
        return LoginError(f"the key {login.key or 'file'} has a passphrase: add it to ssh-agent (ssh-add)")
    if isinstance(error, paramiko.AuthenticationException):
        means = "the password" if login.password is not None else f"the key {login.key}" if login.key else "any key"
        return LoginError(
            f"{where} does not accept {means} for user {login.user}; give --user, --key or --password "
            "(PYNQ images: xilinx, xilinx)"
        )
    if isinstance(error, socket.gaierror):
        return HostError(f"no host is called {login.host}; check the name, or give its address (PYNQ: 192.168.2.99)")
    if isinstance(error, TimeoutError):
        return HostError(f"{address} does not answer within {login.timeout:g} s; is the board on, and on this network?")
    if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError | ConnectionError):
        return HostError(f"{address} refuses connections; is it the board, and does sshd run there?")
    if isinstance(error, paramiko.SSHException):
        if "banner" in str(error) or "No existing session" in str(error):
            return HostError(f"{address} does not speak SSH, or is too slow; is it the board?")
        if login.password is None and "No authentication methods" in str(error):
            return LoginError(f"no key and no password to log in to {where} with; give --key or --password")
        return HostError(f"{address}: {error}")
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return HostError(f"{address} cannot be reached ({error.strerror or error})")
    return error
