"""Programs that are too large to be looked at whole, such as all packages of an environment: they are cut by folders."""

from collections.abc import Iterator, Mapping, Sequence

from bnlint.facts.imports import Group

MOST = 20_000_000  # bytes of source, about half a million lines: what one analysis may hold in memory


def parts(group: Group, paths: Sequence[str], sizes: Mapping[int, int], most: int = MOST) -> Iterator[Group]:
    """Yield the group if it is small, else what lies in each of its folders, cut again if need be.

    What a part imports from another is unknown to it. Files of one folder stay together, however many they are.
    """
    if sum(sizes[number] for number in group) <= most:
        yield group
        return
    folders = {number: paths[number].split("/")[:-1] for number in group}
    first, last = min(folders.values()), max(folders.values())
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    below: dict[str, list[int]] = {}
    for number, folder in folders.items():
        below.setdefault(folder[shared] if len(folder) > shared else "", []).append(number)
    if len(below) == 1:
        yield group
        return
    for members in below.values():
        yield from parts(tuple(members), paths, sizes, most)
