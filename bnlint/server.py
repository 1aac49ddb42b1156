"""A language server: what the command line reports, while one types. Needs the extra ``lsp`` (pygls)."""

import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bnlint import __version__
from bnlint.config import Config, find, load
from bnlint.errors import BnlintError
from bnlint.extensions import with_extensions
from bnlint.facts.collect import read_all
from bnlint.finding import Finding, Place
from bnlint.preview import changes_of
from bnlint.report.page import page
from bnlint.rules._base import Rule
from bnlint.rules.table import RULES
from bnlint.run import Analysis, analyse
from bnlint.source import Source, Span, discover, shown

if TYPE_CHECKING:
    from bnlint.facts.model import FileFacts


def _optional(module: str) -> Any:
    """A module of the extra, or None where it is not installed: serve() says so."""
    try:
        return import_module(module)
    except ImportError:
        return None


lsp = _optional("lsprotocol.types")
LanguageServer: Any = getattr(_optional("pygls.lsp.server"), "LanguageServer", None)

_SEVERITY = {"error": 1, "warning": 2, "info": 3, "note": 4}


class Seen(NamedTuple):
    """What was found in a document, and the analysis it was found by."""

    findings: tuple[Finding, ...]
    analysis: Analysis
    rules: tuple[Rule, ...]


class Desk:
    """The documents that are open, and the facts of their projects, so that a change costs one file."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.facts: dict[str, FileFacts] = {}
        self.seen: dict[str, Seen] = {}

    def look(self, uri: str) -> Seen:
        """Lint the document with its project around it."""
        file = Path(self.server.workspace.get_text_document(uri).path)
        config, rules = self._config(file)
        around = discover([], config.selection, around_of=[file] if config.whole_project else [])
        opened = {os.path.realpath(doc.path): doc for doc in self.server.workspace.text_documents.values()}
        sources = [source for source in around if os.path.realpath(source.file or "") not in opened]
        for path, doc in opened.items():
            mine = path == os.path.realpath(file)
            sources.append(Source(shown(Path(doc.path)), None, doc.source.encode("utf-8", "replace"), reported=mine))
        texts = read_all(sorted(sources, key=lambda source: source.path), size_limit=config.size_limit)
        analysis = analyse(texts, config, rules, self.facts)
        self.facts = {facts.path: facts for facts in analysis.facts}
        self.seen[uri] = Seen(analysis.shown(config).findings, analysis, rules)
        return self.seen[uri]

    def _config(self, file: Path) -> tuple[Config, tuple[Rule, ...]]:
        found = find(file.parent)
        config = load(found) if found is not None else Config(folder=file.parent)
        # Threads of the server could hold locks in a fork; and a baseline is for reports, not for the one who edits.
        config = replace(config, jobs=-1, cache=False)
        return config, with_extensions(RULES, config.rules, config.folder)

    def publish(self, uri: str) -> None:
        """Show the diagnostics of a document; a wrong configuration is a message, not the end."""
        try:
            seen = self.look(uri)
        except BnlintError as error:
            self.server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Error, f"bnlint: {error}"))
            return
        items = [self._diagnostic(uri, finding) for finding in seen.findings if not finding.place.cell]
        self.server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, items))

    def _diagnostic(self, uri: str, finding: Finding) -> Any:
        related = [
            lsp.DiagnosticRelatedInformation(lsp.Location(self._uri(place), self.range(uri, place.span)), place.says)
            for place in finding.related
            if place.span is not None
        ]
        return lsp.Diagnostic(
            range=self.range(uri, finding.place.span),
            message=f"{finding.says}",
            severity=lsp.DiagnosticSeverity(_SEVERITY[finding.severity]),
            code=finding.code,
            source="bnlint",
            related_information=related,
        )

    def _uri(self, place: Place) -> str:
        return Path(place.path).absolute().as_uri()

    def range(self, uri: str, span: Span | None) -> Any:
        """A span in the units of the client (mostly UTF-16)."""
        document = self.server.workspace.get_text_document(uri)
        line, column, end_line, end_column = span or (1, 1, 1, 2)
        plain = lsp.Range(lsp.Position(line - 1, column - 1), lsp.Position(end_line - 1, end_column - 1))
        return document.position_codec.range_to_client_units(document.lines, plain)

    def at(self, uri: str, where: Any) -> list[Finding]:
        """Findings that touch a range of a document."""
        seen = self.seen.get(uri)
        return [
            finding
            for finding in (seen.findings if seen is not None else ())
            if not finding.place.cell and _touch(self.range(uri, finding.place.span), where)
        ]

    def actions(self, uri: str, where: Any) -> list[Any]:
        """Quick fixes: each fix, and a comment that silences."""
        found: list[Any] = []
        for finding in self.at(uri, where):
            for title, changes in self._repairs(uri, finding):
                edits = [lsp.TextEdit(self.range(uri, span), text) for span, text in changes]
                action = lsp.CodeAction(
                    title=title,
                    kind=lsp.CodeActionKind.QuickFix,
                    diagnostics=[self._diagnostic(uri, finding)],
                    edit=lsp.WorkspaceEdit(changes={uri: edits}),
                )
                found.append(action)
        return found

    def _repairs(self, uri: str, finding: Finding) -> list[tuple[str, list[tuple[Span, str]]]]:
        found: list[tuple[str, list[tuple[Span, str]]]] = []
        changes = changes_of([finding], self.seen[uri].analysis.by_path()).get(finding)
        if changes and finding.fix is not None:
            note = "" if finding.fix.safety == "safe" else " (changes training: unsafe)"
            found.append((f"{finding.fix.title}{note}", list(changes)))
        if finding.place.span is not None:
            line = finding.place.span.line
            lines = self.seen[uri].analysis.by_path()[finding.place.path].lines()
            end = len(lines[line - 1]) + 1
            silenced = (Span(line, end, line, end), f"  # bnlint: ignore[{finding.code}]")
            found.append((f"Silence {finding.code} here", [silenced]))
        return found

    def hover(self, uri: str, position: Any) -> Any:
        """The page of the rule whose finding is under the cursor."""
        found = self.at(uri, lsp.Range(position, position))
        if not found:
            return None
        metas = {rule.meta.code: rule.meta for rule in self.seen[uri].rules}
        pages = [page(metas[code]) for code in dict.fromkeys(f.code for f in found) if code in metas]
        return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, "\n".join(pages)))


def _touch(one: Any, other: Any) -> bool:
    def key(position: Any) -> tuple[int, int]:
        return position.line, position.character

    return key(one.start) <= key(other.end) and key(other.start) <= key(one.end)


def make_server() -> Any:
    """The server with its handlers."""
    server = LanguageServer("bnlint", __version__)
    desk = Desk(server)

    def look(params: Any) -> None:
        desk.publish(params.text_document.uri)

    def close(params: Any) -> None:
        desk.seen.pop(params.text_document.uri, None)

    def code_action(params: Any) -> list[Any]:
        return desk.actions(params.text_document.uri, params.range)

    def hover(params: Any) -> Any:
        return desk.hover(params.text_document.uri, params.position)

    for event in (lsp.TEXT_DOCUMENT_DID_OPEN, lsp.TEXT_DOCUMENT_DID_CHANGE, lsp.TEXT_DOCUMENT_DID_SAVE):
        server.feature(event)(look)
    server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)(close)
    kinds = lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix])
    server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, kinds)(code_action)
    server.feature(lsp.TEXT_DOCUMENT_HOVER)(hover)
    return server


def serve() -> int:
    """Speak the language server protocol on standard input and output."""
    if lsp is None:
        raise BnlintError("the language server needs pygls; try `pip install 'anybn[lsp]'`")
    make_server().start_io()
    return 0
