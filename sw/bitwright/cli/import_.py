"""`bitwright import FORMAT ...`: networks from elsewhere, a module for each format."""

import argparse
from importlib import import_module

_FORMATS = ("bnn_pynq", "dwn", "onnx")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("import", description="Makes a network file of parameters from elsewhere.")
    formats = command.add_subparsers(dest="format", metavar="FORMAT", required=True)
    for name in _FORMATS:
        import_module(f"bitwright.cli.import_{name}").add(formats)
