"""Data sets by name or file: what users need of bitwright_data."""

from bitwright_data import NAMES, Dataset, HeldOut, load_dataset, load_held_out

__all__ = ["NAMES", "Dataset", "HeldOut", "load_dataset", "load_held_out"]
