"""Which files are tests: there extreme values and dropped results are usually the point."""

from pathlib import PurePosixPath

_FOLDERS = frozenset({"tests", "test", "unit_test", "unit_tests", "unittest", "unittests"})


def in_test_folder(path: str) -> bool:
    """Whether the path is in a folder of tests: what is trained there is thrown away."""
    return bool(_FOLDERS & set(PurePosixPath(path.replace("\\", "/")).parts[:-1]))


def is_test_file(path: str) -> bool:
    """Whether the path is that of a test by the usual names."""
    pure = PurePosixPath(path.replace("\\", "/"))
    return (
        pure.name.startswith("test_") or pure.stem.endswith("_test") or bool({"tests", "test"} & set(pure.parts[:-1]))
    )
