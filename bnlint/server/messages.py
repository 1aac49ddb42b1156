"""Findings → what the protocol calls diagnostics, code actions and hovers, in the client's units of columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from bnlint.facts.python_read import decoded
from bnlint.finding import Finding, Place
from bnlint.ignores import add_ignores
from bnlint.preview import Change, changes, changes_of
from bnlint.report.page import page
from bnlint.server.desk import Seen
from bnlint.source import Span

_SEVERITY = {"error": 1, "warning": 2, "info": 3, "note": 4}


def optional(module: str) -> Any:
    """A module of the extra, or None where it is not installed: serve() says so."""
    try:
        return import_module(module)
    except ImportError:
        return None


lsp = optional("lsprotocol.types")


class Messages:
    """Writes messages about what was `seen`; lines are those that were looked at, whatever has been typed since."""

    def __init__(self, codec: Any, seen: Mapping[str, Seen]) -> None:
        self.codec = codec
        self.seen = seen

    def diagnostics(self, seen: Seen) -> list[Any]:
        """All findings of a document."""
        return [self._diagnostic(seen, finding) for finding in seen.findings if not finding.place.cell]

    def _diagnostic(self, seen: Seen, finding: Finding) -> Any:
        related = [
            lsp.DiagnosticRelatedInformation(lsp.Location(*self._where(place)), place.says or "here")
            for place in finding.related
            if place.span is not None
        ]
        doubt = "" if finding.confidence == "high" else f" ({finding.confidence} confidence)"
        return lsp.Diagnostic(
            range=self.range(seen.text.lines(), finding.place.span),
            message=f"{finding.says}{doubt}",
            severity=lsp.DiagnosticSeverity(_SEVERITY[finding.severity]),
            code=finding.code,
            source="bnlint",
            related_information=related,
        )

    def _where(self, place: Place) -> tuple[str, Any]:
        path = Path(place.path).absolute()
        for seen in self.seen.values():
            if seen.text.source.path == place.path:
                return seen.document.uri, self.range(seen.text.lines(), place.span)
        try:
            lines = decoded(path.read_bytes()).splitlines()
        except (OSError, ValueError, LookupError, SyntaxError):
            lines = []
        return path.as_uri(), self.range(lines, place.span)

    def range(self, lines: Sequence[str], span: Span | None) -> Any:
        """A span in the units of the client (mostly UTF-16)."""
        line, column, end_line, end_column = span or (1, 1, 1, 1)
        plain = lsp.Range(lsp.Position(line - 1, column - 1), lsp.Position(end_line - 1, end_column - 1))
        return self.codec.range_to_client_units(lines, plain) if len(lines) >= line else plain

    def at(self, seen: Seen, where: Any) -> list[Finding]:
        """Findings that touch a range of a document."""
        lines = seen.text.lines()
        return [f for f in seen.findings if not f.place.cell and _touch(self.range(lines, f.place.span), where)]

    def actions(self, seen: Seen, where: Any) -> Iterator[Any]:
        """Quick fixes: each fix, and a comment that silences."""
        for finding in self.at(seen, where):
            for title, edits in _repairs(seen, finding):
                yield lsp.CodeAction(
                    title=title,
                    kind=lsp.CodeActionKind.QuickFix,
                    diagnostics=[self._diagnostic(seen, finding)],
                    is_preferred=finding.fix is not None and title == finding.fix.title,
                    edit=self.edit(seen, edits),
                )

    def edit(self, seen: Seen, edits: Iterable[Change]) -> Any:
        """Changed regions of one document."""
        lines = seen.text.lines()
        texts = [lsp.TextEdit(self.range(lines, span), text) for span, text in edits]
        return lsp.WorkspaceEdit(changes={seen.document.uri: texts})

    def hover(self, seen: Seen, position: Any) -> Any:
        """The page of the rule whose finding is under the cursor."""
        metas = {rule.meta.code: rule.meta for rule in seen.rules}
        found = dict.fromkeys(finding.code for finding in self.at(seen, lsp.Range(position, position)))
        pages = [page(metas[code]) for code in found if code in metas]
        return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, "\n".join(pages))) if pages else None


def _repairs(seen: Seen, finding: Finding) -> Iterator[tuple[str, tuple[Change, ...]]]:
    path = seen.text.source.path
    found = changes_of([finding], {path: seen.text}).get(finding)
    if found and finding.fix is not None:
        note = "" if finding.fix.safety == "safe" else " (changes training: unsafe)"
        yield f"{finding.fix.title}{note}", found
    done = add_ignores(seen.text.data, [finding])
    if done.total and finding.severity != "note":
        silenced = tuple(changes(decoded(seen.text.data), decoded(done.data)))
        yield f"Silence {finding.code} here", silenced


def _touch(one: Any, other: Any) -> bool:
    def key(position: Any) -> tuple[int, int]:
        return position.line, position.character

    return key(one.start) <= key(other.end) and key(other.start) <= key(one.end)
