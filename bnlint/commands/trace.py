"""``bnlint explain --trace FILE:LINE``: what the analysis believes of the networks that a line calls."""

import sys
from dataclasses import replace
from pathlib import Path

from bnlint.config import Config, find, load
from bnlint.errors import BnlintError
from bnlint.facts.collect import collect, needs, read_all
from bnlint.facts.locate import locate
from bnlint.project.link import Project, link
from bnlint.project.torch.trace import Belief, beliefs, lines
from bnlint.source import discover


def trace(where: str) -> int:
    """Print the beliefs on one line of a file (PyTorch), with the places they come from."""
    name, _, number = where.rpartition(":")
    if not name or not number.isdigit():
        raise BnlintError(f"got {where!r}, expected a file and a line, such as train.py:42")
    file = Path(name)
    if not file.is_file():
        raise BnlintError(f"got {name!r}, expected a file that exists")
    found_config = find(file.absolute().parent)
    config = replace(load(found_config) if found_config is not None else Config(), jobs=1)
    texts = read_all(discover([file], config.selection, around=config.whole_project), size_limit=config.size_limit)
    wanted = needs(texts).numbers
    project = link(tuple(collect(texts, jobs=1, time_limit=config.time_limit, wanted=wanted)), config.known)
    data = {text.source.path: text.source.read() for text in texts}
    path = next(text.source.path for text in texts if text.source.reported)
    found = _on_line(project, path, data[path], int(number))
    for belief in found:
        sys.stdout.write("\n".join([*lines(belief), *_places(belief, data)]) + "\n")
    if not found:
        sys.stdout.write(f"nothing is believed of {where}: no call of a PyTorch network was seen there\n")
    return 0


def _on_line(project: Project, path: str, data: bytes, line: int) -> list[Belief]:
    found = beliefs(project.torch.verdicts, path)
    spans = locate(data, {belief.at for belief in found})
    return [belief for belief in found if spans[belief.at].line <= line <= spans[belief.at].end_line]


def _places(belief: Belief, data: dict[str, bytes]) -> list[str]:
    return [f"  {path}:{locate(data[path], [at])[at].line}: {says}" for path, at, says in belief.places if path in data]
