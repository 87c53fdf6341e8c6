"""What program and play share: where a PYNQ board is and how to log in, and where pynq's environment lies here."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitwright_boards.ssh import Login


def add_login(group: argparse._ActionsContainer, *, port: str = "--port") -> None:
    """The options of a login; `port` is the name of its port's."""
    from bitwright.cli.frames import count

    group.add_argument("--host", metavar="H", help="the board's name or address (PYNQ images: 192.168.2.99)")
    group.add_argument(port, dest="ssh_port", metavar="P", type=count("port", 65535), default=22, help="default: 22")
    group.add_argument("--user", metavar="U", default="xilinx", help="default: xilinx")
    group.add_argument(
        "--password", metavar="W", help="for the login and sudo (default: $BITWRIGHT_BOARD_PASSWORD, else keys)"
    )
    group.add_argument("--key", metavar="FILE", type=Path, help="a private key (default: the agent's, and ~/.ssh)")
    group.add_argument("--accept-host-key", metavar="SHA256:...", help="trust the host's key of this fingerprint")
    group.add_argument("--known-hosts", metavar="FILE", type=Path, help="default: ~/.ssh/known_hosts")


def add_pynq(group: argparse._ActionsContainer) -> None:
    """Where pynq's environment lies."""
    group.add_argument(
        "--pynq",
        metavar="ENV",
        type=Path,
        help="pynq's environment, which make pynq-env makes (default: $BITWRIGHT_PYNQ, or .venv-pynq)",
    )


def login(args: argparse.Namespace) -> "Login":
    """The login that the options tell."""
    import os

    from bitwright_boards.ssh import Login

    return Login(
        host=args.host,
        user=args.user,
        port=args.ssh_port,
        password=args.password or os.environ.get("BITWRIGHT_BOARD_PASSWORD"),
        key=args.key,
        accept_key=args.accept_host_key,
        known_hosts=args.known_hosts,
    )


def pynq_python(args: argparse.Namespace) -> Path:
    """The Python of pynq's environment."""
    import os

    environment = args.pynq or Path(os.environ.get("BITWRIGHT_PYNQ", ".venv-pynq"))
    return Path(environment) / "bin" / "python3"
