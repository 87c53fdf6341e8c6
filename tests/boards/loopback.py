"""A real sshd on the loopback address, its account a simulated board's."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

SSHD = next((p for p in ("/usr/sbin/sshd", shutil.which("sshd") or "") if p and Path(p).is_file()), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sshd:
    """OpenSSH's server as this user, for this user, HOME being `home`; keys and settings lie in `folder`.

    `path` is put in front of PATH in sessions: for programs that stand in for the board's own.
    """

    def __init__(self, folder: Path, home: Path, *, path: Path | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.home = folder, home
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.port = free_port()
        self.key = folder / "user_key"
        self.host_key = folder / "host_key"
        for key in (self.key, self.host_key):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        shutil.copy(f"{self.key}.pub", folder / "authorized_keys")
        session = f"{path}:/usr/local/bin:/usr/bin:/bin" if path else "/usr/local/bin:/usr/bin:/bin"
        (folder / "sshd_config").write_text(
            f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.host_key}
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication yes
PermitRootLogin yes
MaxStartups 100
Subsystem sftp internal-sftp
SetEnv HOME={home} PATH={session}
"""
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        with (folder / "sshd.log").open("wb") as log:
            self.process = subprocess.Popen(
                [str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")],
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        for _ in range(200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.close()
        raise RuntimeError((folder / "sshd.log").read_text())

    @property
    def fingerprint(self) -> str:
        done = subprocess.run(["ssh-keygen", "-lf", self.host_key], capture_output=True, text=True, check=True)
        return done.stdout.split()[1]

    def drop_connections(self) -> None:
        """Kills the processes that serve connections, not the listener."""
        self._signal(signal.SIGKILL)

    def silence(self) -> None:
        """Stops them where they are: as if the cable were out."""
        self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        for child in self._children():
            with suppress(ProcessLookupError):
                os.kill(child, number)

    def _children(self) -> list[int]:
        children = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid:
                    children.append(int(entry.name))
        return children

    def close(self) -> None:
        self.drop_connections()
        self.process.terminate()
        self.process.wait()
