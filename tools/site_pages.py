"""Pages of the site that are made as it is built (mkdocs runs this as a hook): the commands as their parsers have them,
and the changelog, whose links are those of the repository's root."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = "100"


def on_files(files: Files, *, config: Any) -> Files:
    """Adds the made pages to those of docs/."""
    files.append(File.generated(config, "reference/commands.md", content=commands_page()))
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    files.append(File.generated(config, "changelog.md", content=links_from_docs(changelog)))
    return files


def links_from_docs(text: str) -> str:
    """`text` of the root, with links into docs/ as docs/ itself has them."""
    return re.sub(r"\]\(docs/", "](", text)


def commands_page() -> str:
    """Markdown of every command: what `--help` prints."""
    sys.path[:0] = [str(ROOT / folder) for folder in ("sw", "hw", "sim", "boards")]
    os.environ["COLUMNS"] = COLUMNS  # what argparse wraps to
    from bitwright.cli import leaves

    parts = [
        "# Commands\n\nWhat `bitwright COMMAND --help` prints. Exit status 1 means that something did not match, "
        "2 that something given was wrong.\n"
    ]
    for name, command in leaves():
        parts.append(f"## {name}\n\n```text\n{command.format_help().rstrip()}\n```\n")
    return "\n".join(parts)
