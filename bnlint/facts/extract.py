"""One file's text → its facts: by Python's own parser, by LibCST what that cannot read, and then as Python 2.

The first two agree number for number (a test holds them together), so findings of the fast one can be repaired by the
other. LibCST comes before Python 2, so that nothing it can repair is read in another form.
"""

from bnlint.facts import model as m
from bnlint.facts.deep import deep_recursion
from bnlint.facts.python_read import comments, decoded, read, read_python2


def extract(path: str, digest: str, text: str | bytes) -> m.FileFacts:
    """Facts of one file; a file that cannot be read has a `problem` instead of a body."""
    if text.find(b"\0" if isinstance(text, bytes) else "\0") >= 0:  # type: ignore[arg-type]
        return m.FileFacts(path, digest, problem=m.Problem("holds NUL bytes, so it is not Python source"))
    try:
        with deep_recursion():
            reading = read(text)
            remarks = comments(decoded(text) if isinstance(text, bytes) else text, reading)
        return m.FileFacts(path, digest, reading.body, remarks)
    except (RecursionError, MemoryError):
        return m.FileFacts(path, digest, problem=m.Problem("nested too deeply to be analysed"))
    except (SyntaxError, ValueError) as error:
        return _by_libcst(path, digest, text, error)


def _by_libcst(path: str, digest: str, text: str | bytes, error: Exception) -> m.FileFacts:
    """What the running Python cannot parse may be newer than it."""
    import libcst as cst

    from bnlint.facts.tree import read_tree

    try:
        tree = read_tree(text)
    except RecursionError:
        return m.FileFacts(path, digest, problem=m.Problem("nested too deeply to be analysed"))
    except (cst.ParserSyntaxError, UnicodeError, LookupError, ValueError, SyntaxError):
        return _as_python2(path, digest, text, error)
    return m.FileFacts(path, digest, tree.body, tree.comments)


def _as_python2(path: str, digest: str, text: str | bytes, error: Exception) -> m.FileFacts:
    try:
        with deep_recursion():
            reading = read_python2(text)
            remarks = comments(decoded(text) if isinstance(text, bytes) else text, reading)
    except (RecursionError, MemoryError, SyntaxError, ValueError):
        if isinstance(error, SyntaxError) and error.lineno:
            message = f"not valid Python 3: {error.msg}"
            return m.FileFacts(path, digest, problem=m.Problem(message, error.lineno, max(1, error.offset or 1)))
        return m.FileFacts(path, digest, problem=m.Problem(f"cannot be decoded: {getattr(error, 'msg', error)}"))
    return m.FileFacts(path, digest, reading.body, remarks)
