"""What a search has found so far, in its folder: one JSON file and one model file for each candidate."""

from pathlib import Path
from typing import Any

import msgspec

from bitwright.searching.candidates import Candidate, JudgedCandidate
from bitwright_core.atomic import write_bytes
from bitwright_core.errors import TrainingError

SEARCH = "search.json"
_FOLDER = "candidates"


class Records:
    """The folder of a search. Raises TrainingError for one of another search, or for a file that cannot be read."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        """`settings` are all that the results depend on; a folder that has others belongs to another search."""
        self.folder = folder
        plain = msgspec.json.decode(msgspec.json.encode(settings, order="sorted"))
        file = folder / SEARCH
        if file.exists():
            theirs = self._read(file, dict[str, Any])
            if theirs != plain:
                differing = sorted(key for key in {*theirs, *plain} if theirs.get(key) != plain.get(key))
                raise TrainingError(
                    f"{file}: a search with other settings ({', '.join(differing)}); choose another --out, or delete it"
                )
        else:
            write_bytes(file, _text(plain))

    def _read(self, file: Path, kind: Any) -> Any:
        try:
            return msgspec.json.decode(file.read_bytes(), type=kind)
        except (msgspec.DecodeError, OSError) as error:
            raise TrainingError(f"{file}: cannot be read ({error}); delete it, and it is made again") from None

    def _file(self, number: int) -> Path:
        return self.folder / _FOLDER / f"{number:05d}.json"

    def model_file(self, number: int) -> Path:
        """The model of a candidate that was trained."""
        return self._file(number).with_suffix(".safetensors")

    def candidate(self, number: int) -> Candidate | None:
        """What is kept of a candidate; None where nothing is."""
        file = self._file(number)
        if not file.exists():
            return None
        found: Candidate = self._read(file, Candidate)
        return found

    def model(self, number: int) -> bytes:
        """The model file of a candidate that was trained."""
        file = self.model_file(number)
        try:
            return file.read_bytes()
        except OSError as error:
            raise TrainingError(
                f"{file}: cannot be read ({error}); delete {self._file(number).name} beside it, and both are made again"
            ) from None

    def keep(self, judged: JudgedCandidate) -> None:
        """Writes a candidate: its model first, so that the JSON file is there only if all is."""
        number = judged.candidate.number
        if judged.model is not None:
            write_bytes(self.model_file(number), judged.model)
        write_bytes(self._file(number), _text(judged.candidate))


def _text(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
