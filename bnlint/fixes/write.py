"""How a file is written: whole or not at all, as the one that was there."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from bnlint.errors import BnlintError


def write(file: Path, data: bytes) -> None:
    """Put `data` in place of `file`, which may be new; permissions and owner stay, and a link still points to it.

    Raises
    ------
    BnlintError
        If it cannot be written; then it is as it was.
    """
    target = Path(os.path.realpath(file))
    try:
        _refuse_read_only(target)
        _replace(target, data)
    except OSError as error:
        raise BnlintError(f"{file}: cannot be written: {error.strerror or error}; nothing was changed") from error


def _refuse_read_only(target: Path) -> None:
    """Replacing a file needs no right to write it, only its folder; who took that right away meant it."""
    if target.exists() and not target.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(13, "the file is read-only")


def _replace(target: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}."[:100], dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        _dress(name, target)
        os.replace(name, target)  # noqa: PTH105 - the same call, without another Path
    except BaseException:
        os.unlink(name)  # noqa: PTH108 - see above
        raise


def _dress(name: str, target: Path) -> None:
    """Give a new file the permissions and the owner of the old one; if there is none, those that new files get."""
    try:
        old = target.stat()
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # noqa: PTH101 - see above
        return
    with contextlib.suppress(OSError, AttributeError):  # only root may give files away
        if (old.st_uid, old.st_gid) != (os.getuid(), os.getgid()):
            os.chown(name, old.st_uid, old.st_gid)
    os.chmod(name, stat.S_IMODE(old.st_mode))  # noqa: PTH101 - see above
