"""Login by password, against a small server of paramiko's: a real sshd would need the system's own accounts."""

import socket
import subprocess
import threading

import paramiko
import pytest

from bitwright_boards.errors import LoginError
from bitwright_boards.ssh import Connection, Login, fingerprint


class Server(paramiko.ServerInterface):
    """Takes user xilinx with password xilinx, and runs commands."""

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        right = (username, password) == ("xilinx", "xilinx")
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        def run() -> None:
            done = subprocess.run(command.decode(), shell=True, capture_output=True, check=False)
            channel.sendall(done.stdout)
            channel.sendall_stderr(done.stderr)
            channel.send_exit_status(done.returncode)
            channel.close()

        threading.Thread(target=run, daemon=True).start()
        return True


@pytest.fixture
def login(tmp_path):
    key = paramiko.ECDSAKey.generate()
    transports = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                transport = paramiko.Transport(client)
                transports.append(transport)
                transport.add_server_key(key)
                transport.start_server(server=Server())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Login(
            host="127.0.0.1",
            port=listener.getsockname()[1],
            password="xilinx",
            known_hosts=tmp_path / "known",
            accept_key=fingerprint(key),
            timeout=10,
        )
        for transport in transports:
            transport.close()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_the_right_password_logs_in(login):
    with Connection(login) as connection:
        done = connection.run("echo out; echo err >&2; exit 3", what="a test")
    assert (done.status, done.output, done.errors) == (3, "out\n", "err\n")


def test_another_does_not(login):
    with pytest.raises(LoginError, match="does not accept the password for user xilinx"):
        Connection(Login(**{**login.__dict__, "password": "wrong"}))
    with pytest.raises(LoginError, match=r"--user, --key or --password \(PYNQ images: xilinx, xilinx\)"):
        Connection(Login(**{**login.__dict__, "user": "root"}))
