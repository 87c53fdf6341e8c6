"""`bitwright program` against a real sshd on the loopback address, whose account is a simulated board."""

import fcntl
import json
import re
import shutil
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright_boards.deployment import DRIVER, driver_source, make_vectors
from bitwright_boards.errors import (
    ConnectionLostError,
    DiskFullError,
    HostError,
    HostKeyError,
    JobError,
    LoginError,
    MissingPynqError,
)
from bitwright_boards.program import Job, run_on_board
from bitwright_boards.simulated.account import make_account
from bitwright_boards.simulated.bitstream import write_overlay
from bitwright_boards.ssh import Connection, Login
from bitwright_core.errors import BoardError
from tests.boards.conftest import stand_in
from tests.boards.loopback import Sshd, free_port
from tests.sw.networks import random_frames, random_network


@pytest.fixture
def login(sshd, tmp_path) -> Login:
    known = tmp_path / "known_hosts"
    key = " ".join(sshd.host_key.with_suffix(".pub").read_text().split()[:2])
    known.write_text(f"[127.0.0.1]:{sshd.port} {key}\n")
    return Login(host="127.0.0.1", port=sshd.port, user=sshd.user, key=sshd.key, known_hosts=known)


@pytest.fixture
def program(board_design, overlay, vectors):
    def call(login: Login, **options):
        progress, chosen = options.pop("progress", None), options.pop("vectors", vectors)
        job = Job(**options)
        return run_on_board(board_design, overlay, chosen, login, board="pynq-z2", job=job, progress=progress)

    return call


def options(login: Login) -> list[str]:
    return [
        "--host",
        login.host,
        "--port",
        str(login.port),
        "--user",
        login.user,
        "--key",
        str(login.key),
        "--known-hosts",
        str(login.known_hosts),
    ]


def deployments(home: Path) -> list[str]:
    folder = home / "bitwright"
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def test_frames_through_a_board_come_back_bit_exact(program, login, home, vectors, board_design):
    steps = []
    report = program(login, batch_frames=64, progress=lambda *step: steps.append(step))
    assert report.passed and report.frames == len(vectors.frames) and report.mismatches == ()
    assert report.digest == board_design.manifest.network_digest
    assert report.batches == -(-report.frames // 64)
    assert (report.pynq, report.clock_mhz) == ("3.1.2", 100.0)
    assert report.busy_frames_per_second > report.frames_per_second > 0 and report.latency_seconds > 0
    assert [step[0].split()[0] for step in steps if step[1] == step[2]] == ["copying", "frames"]
    # deployed under the design's name, the driver byte for byte, and nothing half done beside it
    assert deployments(home) == ["random"]
    assert (home / "bitwright" / "random" / DRIVER).read_bytes() == driver_source()
    # and over an earlier deployment
    (home / "bitwright" / "random" / "left_over").write_text("x")
    assert program(login).passed
    assert deployments(home) == ["random"] and not (home / "bitwright" / "random" / "left_over").exists()


def test_the_command_and_its_json(board_design, overlay, login, capsys, home):
    command = ["program", str(board_design.folder), "--board", "pynq-z2", *options(login), "--data", "random:5"]
    assert main([*command, "--frames", "100"]) == 0
    said = capsys.readouterr().out
    assert "mismatches   0" in said and "Every class and score of every frame of random:5" in said
    assert main([*command, "--frames", "20", "--json", "--remote-dir", str(home / "elsewhere")]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["frames"], values["mismatches"], values["passed"]) == (20, [], True)
    assert Path(values["folder"]) == home / "elsewhere" / "random"


def test_a_shell_that_talks(program, login, tmp_path, home):
    """What a start file of the user's shell prints is not taken for an answer."""
    for name in ("id", "mktemp", "sha256sum", "df"):
        real = shutil.which(name)
        path = stand_in(tmp_path / "bin", name, f'echo "Welcome to {name}!" >&2\nexec {real} "$@"')
    (home / ".bashrc").write_text("echo Welcome to PYNQ 3\n")
    with (home / ".bash_profile").open("a") as profile:
        profile.write("echo last login: never\n")
    server = Sshd(tmp_path / "sshd-talks", home, path=path)
    try:
        assert program(
            replace(login, port=server.port, key=server.key, accept_key=server.fingerprint, known_hosts=tmp_path / "k")
        ).passed
    finally:
        server.close()


def test_every_mismatch_is_told(program, login, vectors, board_design, overlay, capsys, monkeypatch):
    scores = vectors.scores.copy()
    scores[3, 1] += 1
    classes = vectors.classes.copy()
    classes[7] = (classes[7] + 1) % 5
    wrong = replace(vectors, scores=scores, classes=classes, labels=vectors.classes)
    report = program(login, vectors=wrong)
    assert not report.passed
    assert [m.frame for m in report.mismatches] == [3, 7]
    assert report.mismatches[0].expected_scores == scores[3].tolist()
    assert report.mismatches[0].board_scores == vectors.scores[3].tolist()
    assert (report.mismatches[1].board_class, report.mismatches[1].expected_class) == (vectors.classes[7], classes[7])
    assert report.accuracy == 1.0 and report.golden_accuracy == pytest.approx(1 - 1 / len(classes))

    monkeypatch.setattr("bitwright_boards.deployment.make_vectors", lambda *_: wrong)
    assert main(["program", str(board_design.folder), "--board", "pynq-z2", *options(login)]) == 1
    said = capsys.readouterr().out
    assert "MISMATCH\nframe 3: class" in said and f"frame 7: class {vectors.classes[7]}, expected {classes[7]}" in said


def test_host_keys(sshd, login, program, tmp_path):
    unknown = replace(login, known_hosts=tmp_path / "none" / "known_hosts")
    fingerprint = re.escape(sshd.fingerprint)  # base64 may have a +
    with pytest.raises(HostKeyError, match=rf"is not known: ssh-ed25519 {fingerprint}.*--accept-host-key"):
        Connection(unknown)
    with pytest.raises(HostKeyError, match=r"not SHA256:other; this may be another machine"):
        Connection(replace(unknown, accept_key="SHA256:other"))
    with Connection(replace(unknown, accept_key=sshd.fingerprint)) as accepted:
        assert accepted.run("echo here", what="a test").output == "here\n"
    with Connection(unknown):  # it is known now
        pass
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    key = " ".join(other.with_suffix(".pub").read_text().split()[:2])
    login.known_hosts_file.write_text(f"[127.0.0.1]:{sshd.port} {key}\n")
    with pytest.raises(HostKeyError, match=r"has changed.*ssh-keygen -f \S+ -R '\[127\.0\.0\.1\]:\d+'"):
        Connection(replace(login, accept_key=sshd.fingerprint))


def test_wrong_hosts(login):
    with pytest.raises(HostError, match=r"no host is called board\.invalid"):
        Connection(replace(login, host="board.invalid"))
    with pytest.raises(HostError, match=r"port \d+ refuses connections"):
        Connection(replace(login, port=free_port()))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        quick = replace(login, port=silent.getsockname()[1], timeout=0.5)
        with pytest.raises(HostError, match=r"does not (answer|speak SSH)"):
            Connection(quick)


@pytest.mark.parametrize("means", ["password", "key"])
def test_wrong_logins(login, tmp_path, means):
    if means == "password":
        wrong, text = replace(login, key=None, password="wrong"), "does not accept the password for user"
    else:
        other = tmp_path / "other"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
        wrong, text = replace(login, key=other), f"does not accept the key {other} for user"
    with pytest.raises(LoginError, match=text):
        Connection(wrong)


def test_sudo_takes_the_password(program, login, home, tmp_path):
    """A user who is not root: `id` and `sudo` stand in for the board's."""
    path = stand_in(tmp_path / "bin", "id", "echo 1000")
    stand_in(
        path,
        "sudo",
        'shift  # -H\n[ "$1" = -n ] && { echo "sudo: a password is required" >&2; exit 1; }\n'
        'IFS= read -r given\n[ "$given" = secret ] || { echo "sudo: 1 incorrect password attempt" >&2; exit 1; }\n'
        f'shift 3  # -S -p ""\necho "$*" >> {tmp_path}/sudo.log\nexec "$@"',
    )
    server = Sshd(tmp_path / "sshd-sudo", home, path=path)
    try:
        here = replace(
            login, port=server.port, key=server.key, accept_key=server.fingerprint, known_hosts=tmp_path / "known-sudo"
        )
        with pytest.raises(LoginError, match=r"cannot become root.*a password is required.*--password"):
            program(here)
        with pytest.raises(LoginError, match="1 incorrect password attempt"):
            program(replace(here, password="wrong"))
        assert program(replace(here, password="secret")).passed
        assert "bash -lc cd " in (tmp_path / "sudo.log").read_text()
    finally:
        server.close()


def test_without_room_nothing_is_left_behind(program, login, home, tmp_path):
    path = stand_in(tmp_path / "bin", "df", 'echo "Filesystem 1024-blocks Used Available"; echo "x 10 10 3 / /"')
    server = Sshd(tmp_path / "sshd-df", home, path=path)
    try:
        here = replace(
            login, port=server.port, key=server.key, accept_key=server.fingerprint, known_hosts=tmp_path / "known-df"
        )
        with pytest.raises(DiskFullError, match=r"has 0\.0 MB of room, and \d\.\d MB are needed"):
            program(here)
    finally:
        server.close()
    assert deployments(home) == []


def test_a_disk_that_fills_up_while_copying(program, login, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", small], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here (not root); the check of room before is tested above")
    try:
        (small / "random").mkdir()
        (small / "random" / "old").write_text("what was there before")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bitwright_boards.deploy.ROOM", -(1 << 30))  # past the check of room before
            with pytest.raises(DiskFullError, match=r"has 0\.\d MB of room"):
                program(login, remote_folder=str(small))
        with pytest.raises(DiskFullError, match="remove something there"):
            program(login, remote_folder=str(small))
        # as it was
        assert [entry.name for entry in small.iterdir()] == ["random"]
        assert [entry.name for entry in (small / "random").iterdir()] == ["old"]
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_board_without_pynq(program, login, home):
    profile = home / ".bash_profile"
    text = profile.read_text()
    profile.write_text("export PATH=/usr/bin:/bin\nunset PYTHONPATH\n")
    if subprocess.run(["/usr/bin/python3", "-c", ""], check=False).returncode == 0:
        with pytest.raises(MissingPynqError, match=r"cannot import pynq|No module named"):
            program(login)
    profile.write_text(f"export PATH={home}/none\n")
    with pytest.raises(JobError, match="ended with status 127"):
        program(login)
    # pynq is there, but not the environment of a login shell
    profile.write_text(text + "unset XILINX_XRT\n")
    with pytest.raises(MissingPynqError, match="pynq finds no FPGA"):
        program(login)
    profile.write_text(text)
    assert program(login).passed


def test_the_bitstream_of_another_network(board_design, overlay, login, tmp_path, program):
    network = random_network(4, shape=(6, 6), bits=8, levels=1, hidden=(24, 17), classes=5)
    other = bw.generate(network, bw.size(network, cycles=60, scores=True), tmp_path / "other")
    with pytest.raises(JobError, match=rf"DigestMismatch.*{network.digest[:12]}") as caught:
        run_on_board(other, overlay, make_vectors(other, random_frames(network, 3)), login, board="pynq-z2", job=Job())
    assert caught.value.kind == "DigestMismatch"
    assert program(login).passed


def test_an_overlay_that_is_none(login, tmp_path, overlay, board_design, vectors, program):
    for file in (overlay, overlay.with_suffix(".hwh")):
        text = file.read_bytes()
        (tmp_path / file.name).write_bytes(text.replace(b"accelerator_0", b"blinker_0"))
    with pytest.raises(JobError, match=r"WrongOverlay.*no block accelerator_0") as caught:
        run_on_board(board_design, tmp_path / overlay.name, vectors, login, board="pynq-z2", job=Job())
    assert caught.value.kind == "WrongOverlay"


def jobs(home: Path) -> list[int]:
    """Processes that run a job out of `home`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if (
                    b"bitwright_job.py" in (entry / "cmdline").read_bytes()
                    and home in (entry / "cwd").readlink().parents
                ):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def gone(home: Path) -> bool:
    for _ in range(100):
        if not jobs(home):
            return True
        time.sleep(0.1)
    return False


def test_a_connection_that_breaks_while_copying(program, sshd, login, home):
    def drop(what: str, done: int, total: int) -> None:
        sshd.drop_connections()

    with pytest.raises(ConnectionLostError, match=r"broke while (copying files|checking the copy)"):
        program(login, progress=drop)
    assert "random" not in deployments(home)
    assert program(login).passed


def test_a_connection_that_breaks_while_the_job_runs(program, sshd, login, home, board_design, pynq_python):
    make_account(home, pynq_python, fast=False)
    many = make_vectors(board_design, np.tile(random_frames(board_design.network, 1000), (30, 1, 1)))
    running = []

    def drop(what: str, done: int, total: int) -> None:
        if what.startswith("frames"):
            running.extend(jobs(home))
            sshd.drop_connections()

    with pytest.raises(ConnectionLostError, match="broke while running the job"):
        program(login, vectors=many, batch_frames=500, progress=drop)
    assert running
    assert gone(home), "the job goes on without its host"
    assert program(login).passed


def test_a_connection_that_falls_silent(program, sshd, login, home, board_design, monkeypatch):
    monkeypatch.setattr("bitwright_boards.program.SILENT_SECONDS", 1.0)
    many = make_vectors(board_design, np.tile(random_frames(board_design.network, 1000), (30, 1, 1)))

    def cut(what: str, done: int, total: int) -> None:
        if what.startswith("frames"):
            sshd.silence()

    started = time.monotonic()
    with pytest.raises(ConnectionLostError, match="broke while running the job"):
        program(login, vectors=many, batch_frames=500, progress=cut)
    assert time.monotonic() - started < 40
    sshd.drop_connections()
    assert gone(home)


def test_an_interrupt_here_ends_the_job_there(program, login, home, board_design):
    many = make_vectors(board_design, np.tile(random_frames(board_design.network, 1000), (30, 1, 1)))

    def interrupt(what: str, done: int, total: int) -> None:
        if what.startswith("frames"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        program(login, vectors=many, batch_frames=500, progress=interrupt)
    assert gone(home)
    assert program(login).passed


def test_a_board_that_is_in_use(program, login, home):
    with (home / "board.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(JobError, match="another bitwright job is using this board"):
            program(login)
    assert program(login).passed


def test_what_is_missing_here_is_told(board_design, overlay, login, tmp_path, capsys):
    with pytest.raises(BoardError, match=r"no bitstream random\.bit in .*bitwright build.*Vivado"):
        bw.program(board_design, host="h", overlay=tmp_path)
    (tmp_path / "random.bit").write_bytes(b"")
    with pytest.raises(BoardError, match=r"random\.hwh is missing"):
        bw.program(board_design, host="h", overlay=tmp_path)
    with pytest.raises(
        BoardError, match=r"zybo-z7-20 is not programmed over SSH; boards that are: aup-zu3, .*, pynq-z1, pynq-z2, "
    ):
        bw.program(board_design, host="h", board="zybo-z7-20")
    assert main(["program", str(board_design.folder), "--board", "pynq-z2"]) == 2
    assert "say where the board is with --host" in capsys.readouterr().err
    assert main(["program", str(board_design.folder), "--board", "pynq-z2", "--host", "h", "--flash"]) == 2
    assert "go with --jtag" in capsys.readouterr().err


def test_the_simulated_board_without_ssh(board_design, pynq_python, capsys, tmp_path):
    command = ["program", str(board_design.folder), "--board", "pynq-z2", "--simulated", "--frames", "50"]
    environment = str(pynq_python.parent.parent)
    assert main([*command, "--pynq", environment]) == 0
    said = capsys.readouterr().out
    assert "simulated board, pynq 3.1.2" in said and "frames       50" in said and "mismatches   0" in said
    assert main([*command, "--pynq", str(tmp_path)]) == 2
    assert "make pynq-env" in capsys.readouterr().err
    assert main([*command, "--host", "h"]) == 2


@pytest.mark.slow
@pytest.mark.data
def test_a_thousand_mnist_frames(login, tmp_path, data_dir):
    """784-64-32-10 of random weights, through DMA and AXI cycle by cycle."""
    network = random_network(9, shape=(28, 28), bits=8, levels=1, hidden=(64, 32), classes=10)
    design = bw.generate(network, bw.size(network, cycles=196, scores=True), tmp_path / "design")
    write_overlay(design, tmp_path / "design-pynq-z2")
    report = bw.program(
        design,
        "mnist",
        frames=1000,
        data_dir=data_dir,
        host=login,
    )
    assert (report.frames, report.mismatches) == (1000, ())
    assert report.accuracy == report.golden_accuracy
