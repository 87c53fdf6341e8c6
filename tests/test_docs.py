"""The documents: every relative link and anchor leads somewhere, every command parses and names what there is."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from bitwright.cli import leaves, parser
from bitwright.cli.arguments import UsageError

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```.*?^```", re.S | re.M)


def documents() -> list[Path]:
    """Every Markdown file of the repository; of an unpacked archive, which has no git, what is not hidden."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    found = [ROOT / name for name in names] or [file for file in ROOT.rglob("*.md") if "/." not in str(file)]
    return sorted(file for file in found if file.is_file())


DOCUMENTS = documents()
MADE = {ROOT / "docs/reference/commands.md", ROOT / "docs/changelog.md"}  # by tools/site_pages.py, in the site alone


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.*?) *$", FENCE.sub("", text), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(name if name not in found else f"{name}-{sum(n.startswith(name) for n in found)}")
    return found


def broken_links(file: Path) -> list[str]:
    """The relative links of `file` that lead nowhere."""
    text = file.read_text("utf-8")
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)(?: \"[^\"]*\")?\)", FENCE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if target in MADE and not anchor:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            broken.append(link)
    return broken


def test_there_are_documents():
    names = {file.relative_to(ROOT).as_posix() for file in DOCUMENTS}
    assert {"README.md", "CHANGELOG.md", "docs/network.md", "docs/decisions/README.md"} <= names


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(file):
    assert broken_links(file) == []


def test_broken_links_are_found(tmp_path):
    (tmp_path / "b.md").write_text("# A `code` heading, twice\n## Twice\n## Twice\n```\n# no heading\n```\n")
    (tmp_path / "a.md").write_text(
        "[1](b.md) [2](b.md#a-code-heading-twice) [3](b.md#twice-1) [4](https://x.y/z) [5](#own)\n# Own\n"
        "[6](c.md) [7](b.md#no-heading) [8](#none) [9](b.md#twice-2)\n"
    )
    assert broken_links(tmp_path / "a.md") == ["c.md", "b.md#no-heading", "#none", "b.md#twice-2"]


def test_the_site_shows_every_document():
    """mkdocs.yml names each page of docs/, but for the single decisions, and no page that is not there."""
    text = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    named = {ROOT / "docs" / name for name in re.findall(r": ([\w/-]+\.md)$", text, re.M)}
    there = {file for file in DOCUMENTS if (ROOT / "docs") in file.parents and not file.name[0].isdigit()}
    assert named == there | MADE


def commands(text: str) -> list[str]:
    """The command lines that blocks show: without prompt, comment and optional parts, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = re.findall(r"^(?:    |\t)? *(?:\d+\. +)?(?:\$ )?((?:\S+/)?bitwright [a-z-][^\n|]*)$", joined, re.M)
    shown = [re.sub(r"\[[^\]]*\]", "", re.sub(r"\s+#.*", "", line)).strip() for line in lines]
    return [line for line in shown if re.match(r"(?:\S+/)?bitwright [a-z]+( |$)", line)]


def blocks(text: str) -> str:
    """The lines of a document that are code: indented by four, or between fences."""
    fenced = [part.partition("\n")[2].rpartition("\n")[0] for part in FENCE.findall(text)]
    rest = FENCE.sub("", text)
    return "\n".join([*fenced, *re.findall(r"^ {4,}\S.*$", rest, re.M)])


SHOWN = [
    (file.relative_to(ROOT).as_posix(), line)
    for file in DOCUMENTS
    for line in commands(blocks(file.read_text("utf-8")))
]


def test_commands_are_found():
    assert len(SHOWN) > 35
    assert ("README.md", "bitwright simulate design") in SHOWN


def test_every_command_of_a_block_parses():
    read = parser()
    for file, line in SHOWN:
        try:
            read.parse_args(shlex.split(line)[1:])
        except UsageError as error:
            pytest.fail(f"{file}: {line}: {error}")


def test_every_command_in_a_sentence_is_there():
    """`bitwright X --option` between backticks: X is a command and has these options."""
    options = {name: {option for action in own._actions for option in action.option_strings} for name, own in leaves()}
    words = {name.split()[0] for name in options}
    seen = 0
    for file in DOCUMENTS:
        for told in re.findall(r"`bitwright ([a-z][^`]*)`", FENCE.sub("", file.read_text("utf-8"))):
            name = next((name for name in options if f"{told} ".startswith(f"{name} ")), told.split()[0])
            assert name in options or name in words, f"{file}: bitwright {told}"
            unknown = set(re.findall(r"--[a-z-]+", told)) - options.get(name, set().union(*options.values()))
            assert not unknown, f"{file}: bitwright {told}: {unknown}"
            seen += 1
    assert seen > 20


def test_the_training_keys_are_all_documented(checkout):
    import dataclasses

    from bitwright_train import ConvConfig, GeneratorConfig, LutConfig, TrainConfig

    text = (checkout / "docs" / "training.md").read_text("utf-8")
    for kind in (TrainConfig, ConvConfig, GeneratorConfig, LutConfig):
        for field in dataclasses.fields(kind):
            assert f"`{field.name}`" in text, field.name


PLACE = re.compile(r"`((?:sw|hw|sim|boards|tests|docs|bench)/[\w./-]+)`")


HOW_TOS = sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs/howto").glob("*.md"))


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md", *HOW_TOS])
def test_places_that_pages_name_are_there(name):
    places = PLACE.findall((ROOT / name).read_text("utf-8"))
    assert len(places) > 3
    assert [place for place in places if not (ROOT / place).exists()] == []
