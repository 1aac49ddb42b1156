"""The session with an editor: events in, diagnostics out, and one look at a time in a thread beside them."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from bnlint import __version__
from bnlint.errors import BnlintError
from bnlint.server.desk import Desk, Document, Seen
from bnlint.server.messages import Messages, lsp, optional

LanguageServer: Any = getattr(optional("pygls.lsp.server"), "LanguageServer", None)
PAUSE = 0.25  # seconds without a key before a change is looked at


class Session:
    """What is open, what was seen in it, and which look comes next."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.desk = Desk()
        self.seen: dict[str, Seen] = {}
        self.timer: asyncio.TimerHandle | None = None
        self.waiting: dict[str, bool] = {}  # documents to look at, and whether with the files around them
        self.busy = False
        self.said = ""

    def soon(self, uri: str, pause: float, *, anew: bool) -> None:
        """Look at a document after a pause; further changes start the pause again."""
        self.waiting[uri] = anew or self.waiting.get(uri, False)
        if self.timer is not None:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(pause, self._begin)

    def _begin(self) -> None:
        if self.busy or not self.waiting:
            return  # whoever is busy begins again
        uri, anew = self.waiting.popitem()
        documents = self.documents()
        self.busy = True
        _in_thread(lambda: self.desk.look(documents, uri, anew=anew), lambda outcome: self._done(outcome, anew=anew))

    def _done(self, outcome: list[Seen] | BaseException, *, anew: bool) -> None:
        self.busy = False
        if isinstance(outcome, BaseException):
            self._say(outcome)
        else:
            self.said = ""
            for seen in outcome:
                self._publish(seen, anew=anew)
        self._begin()

    def _say(self, problem: BaseException) -> None:
        """A wrong configuration is a message, once, and not the end; so is a mistake of our own."""
        words = f"bnlint: {problem}" if isinstance(problem, BnlintError) else f"bnlint failed: {problem!r}"
        if words != self.said:
            self.said = words
            self.server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Error, words))

    def _publish(self, seen: Seen, *, anew: bool) -> None:
        uri = seen.document.uri
        now = self.server.workspace.text_documents.get(uri)
        if now is None or now.source != seen.document.text:
            return  # closed, or typed in since: the next look speaks
        if anew or not self.waiting.get(uri):
            self.waiting.pop(uri, None)  # one look is for all documents of a project
        before, self.seen[uri] = self.seen.get(uri), seen
        if before is None or (before.findings, before.document) != (seen.findings, seen.document):
            items = self.messages().diagnostics(seen)
            self._send(uri, items, seen.document.version)

    def _send(self, uri: str, items: list[Any], version: int | None = None) -> None:
        self.server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, items, version))

    def close(self, uri: str) -> None:
        """Forget a document; the file of that name counts again for the others."""
        self.seen.pop(uri, None)
        self.waiting.pop(uri, None)
        self._send(uri, [])
        self.all_anew()

    def all_anew(self) -> None:
        """Look at everything, as something on the disk has changed."""
        for uri in self.server.workspace.text_documents:
            self.soon(uri, 0, anew=True)

    def documents(self) -> list[Document]:
        """What is open."""
        texts = self.server.workspace.text_documents.items()
        return [Document(uri, one.path or uri, one.version, one.source) for uri, one in texts]

    def messages(self) -> Messages:
        """What writes messages in the client's units."""
        return Messages(self.server.workspace.position_codec, self.seen)

    def current(self, uri: str) -> Seen | None:
        """What was seen, if it was seen in the text of now: edits for another one would go astray."""
        seen = self.seen.get(uri)
        now = self.server.workspace.text_documents.get(uri)
        return seen if seen is not None and now is not None and now.source == seen.document.text else None


def _in_thread(work: Callable[[], Any], done: Callable[[Any], None]) -> None:
    """Call ``done(result or exception)`` in this loop when `work` is done; a daemon, so that nobody waits for it at the end."""
    loop = asyncio.get_running_loop()

    def run() -> None:
        try:
            outcome = work()
        except Exception as error:
            outcome = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(done, outcome)

    threading.Thread(target=run, daemon=True).start()


def make_server() -> Any:
    """The server with its handlers."""
    server = LanguageServer("bnlint", __version__)
    session = Session(server)

    def changed(params: Any) -> None:
        session.soon(params.text_document.uri, PAUSE, anew=False)

    def opened(params: Any) -> None:
        session.soon(params.text_document.uri, 0, anew=True)

    def closed(params: Any) -> None:
        session.close(params.text_document.uri)

    def files_changed(_: Any) -> None:
        session.all_anew()

    def code_action(params: Any) -> list[Any]:
        seen = session.current(params.text_document.uri)
        return list(session.messages().actions(seen, params.range)) if seen is not None else []

    def hover(params: Any) -> Any:
        seen = session.current(params.text_document.uri)
        return session.messages().hover(seen, params.position) if seen is not None else None

    server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)(opened)
    server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)(opened)
    server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)(changed)
    server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)(closed)
    server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)(files_changed)
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
