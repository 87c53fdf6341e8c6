"""Boards: what is on them, for sizing and for making their projects. A board is a TOML file in data/."""

from bitwright_boards.board import Board, Resources, board_names, boards_with, load_board, load_boards

__all__ = ["Board", "Resources", "board_names", "boards_with", "load_board", "load_boards"]
