"""A session of a real client with the language server, over pipes."""

import asyncio
import sys

import pytest

lsp = pytest.importorskip("lsprotocol.types")
client_module = pytest.importorskip("pygls.lsp.client")

BAD = "import torch\n\ndef go(net):\n    ''' 😀 '''; net.eval\n"
NETS = "import torch.nn as nn\nmake = nn.LayerNorm\n"
MAIN = "import torch\nfrom nets import make\nbn = make(3, momentum=0.99)  # 😀\n"


class Client(client_module.LanguageClient):
    """Keeps what it is sent."""

    def __init__(self):
        super().__init__("test", "1")
        self.shown = {}
        self.sent = []
        self.news = asyncio.Queue()
        self.messages = asyncio.Queue()
        for event, take in (
            (lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, self._take),
            (lsp.WINDOW_SHOW_MESSAGE, self.messages.put_nowait),
        ):
            self.feature(event)(lambda params, take=take: take(params))  # pygls writes on the function

    def _take(self, params):
        self.shown[params.uri] = params
        self.sent.append(params)
        self.news.put_nowait(params)

    async def codes(self, uri, version=None):
        """Codes of the diagnostics of a document, once those of `version` (or any) are there."""
        while uri not in self.shown or (version is not None and self.shown[uri].version != version):
            await asyncio.wait_for(self.news.get(), 60)
        return [one.code for one in self.shown[uri].diagnostics]

    async def until(self, uri, codes):
        """Wait for just these diagnostics of a document."""
        while uri not in self.shown or [one.code for one in self.shown[uri].diagnostics] != codes:
            await asyncio.wait_for(self.news.get(), 60)
        return list(self.shown[uri].diagnostics)

    def open(self, uri, text):
        """Open a document at version 1."""
        document = lsp.TextDocumentItem(uri, "python", 1, text)
        self.text_document_did_open(lsp.DidOpenTextDocumentParams(document))

    def change(self, uri, text, version):
        """Replace the text of a document."""
        change = lsp.TextDocumentContentChangeWholeDocument(text)
        identifier = lsp.VersionedTextDocumentIdentifier(version, uri)
        self.text_document_did_change(lsp.DidChangeTextDocumentParams(identifier, [change]))

    async def actions(self, uri, found):
        """Code actions for a diagnostic."""
        context = lsp.CodeActionContext([found])
        params = lsp.CodeActionParams(lsp.TextDocumentIdentifier(uri), found.range, context)
        return await self.text_document_code_action_async(params)

    async def hover(self, uri, position):
        """What is shown at a position."""
        return await self.text_document_hover_async(lsp.HoverParams(lsp.TextDocumentIdentifier(uri), position))


async def session(folder, work, encodings):
    """Start a server, do `work`, and end as the protocol says: the process must be gone, with code 0."""
    client = Client()
    await client.start_io(sys.executable, "-m", "bnlint", "server")
    process = client._server
    general = lsp.GeneralClientCapabilities(position_encodings=encodings)
    params = lsp.InitializeParams(capabilities=lsp.ClientCapabilities(general=general), root_uri=folder.as_uri(), process_id=None)  # fmt: skip
    await client.initialize_async(params)
    client.initialized(lsp.InitializedParams())
    await work(client, (folder / "a.py").as_uri())
    await client.shutdown_async(None)
    client.exit(None)
    assert await asyncio.wait_for(process.wait(), 30) == 0
    await client.stop()


def run(folder, work, encodings=None):
    """Run a session to its end."""
    (folder / "pyproject.toml").write_text("")
    asyncio.run(asyncio.wait_for(session(folder, work, encodings), 150))


def applied(text, edits):
    """A text after edits of whole lines, as an editor makes them."""
    lines = text.splitlines(keepends=True)
    for edit in sorted(edits, key=lambda edit: edit.range.start.line, reverse=True):
        assert (edit.range.start.character, edit.range.end.character) == (0, 0)
        lines[edit.range.start.line : edit.range.end.line] = [edit.new_text]
    return "".join(lines)


def test_diagnostics_quick_fixes_and_hover(tmp_path):
    """Open, look, repair, look again; columns are counted in UTF-16."""

    async def work(client, uri):
        client.open(uri, BAD)
        (found,) = await client.until(uri, ["BN103"])
        assert found.source == "bnlint"
        assert (found.range.start.line, found.range.start.character) == (3, 16)
        fix, silence = await client.actions(uri, found)
        assert [fix.title, silence.title] == ["Call `net.eval()`", "Silence BN103 here"]
        assert fix.is_preferred
        assert applied(BAD, fix.edit.changes[uri]) == BAD.replace("net.eval", "net.eval()")
        assert applied(BAD, silence.edit.changes[uri]).endswith("net.eval  # bnlint: ignore[BN103]\n")
        hover = await client.hover(uri, found.range.start)
        assert hover.contents.value.startswith("# BN103 eval-without-call")
        assert await client.hover(uri, lsp.Position(0, 0)) is None
        client.change(uri, applied(BAD, fix.edit.changes[uri]), 2)
        await client.until(uri, [])
        client.change(uri, applied(BAD, silence.edit.changes[uri]), 3)
        assert await client.codes(uri, 3) == []

    run(tmp_path, work)


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 18), ("utf-16", 16), ("utf-32", 15)])
def test_columns_are_those_that_the_client_asked_for(tmp_path, encoding, column):
    """A smiling face is four bytes, two units, or one character."""

    async def work(client, uri):
        client.open(uri, BAD)
        (found,) = await client.until(uri, ["BN103"])
        assert (found.range.start.character, found.range.end.character) == (column, column + len("net.eval"))

    run(tmp_path, work, [encoding])


def test_a_change_in_one_file_updates_the_others(tmp_path):
    """What is typed in a file, saved or not, counts for the open files that rest on it; closing it, the disk counts."""
    (tmp_path / "nets.py").write_text(NETS)

    async def work(client, uri):
        nets = (tmp_path / "nets.py").as_uri()
        client.open(uri, MAIN)
        assert await client.codes(uri) == []
        client.open(nets, NETS)
        assert await client.codes(nets) == []
        client.change(nets, NETS.replace("LayerNorm", "BatchNorm1d"), 2)
        (found,) = await client.until(uri, ["BN401"])
        assert await client.codes(nets) == []
        (related,) = (one for one in found.related_information if one.location.uri == uri)
        assert related.location.range.start.line == 2
        client.text_document_did_close(lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(nets)))
        await client.until(uri, [])

    run(tmp_path, work)


def test_a_file_that_changes_on_the_disk_counts_when_the_editor_says_so(tmp_path):
    """A branch is checked out, a formatter has run."""
    (tmp_path / "nets.py").write_text(NETS)

    async def work(client, uri):
        client.open(uri, MAIN)
        assert await client.codes(uri) == []
        await asyncio.to_thread((tmp_path / "nets.py").write_text, NETS.replace("LayerNorm", "BatchNorm1d"))
        change = lsp.FileEvent((tmp_path / "nets.py").as_uri(), lsp.FileChangeType.Changed)
        client.workspace_did_change_watched_files(lsp.DidChangeWatchedFilesParams([change]))
        await client.until(uri, ["BN401"])

    run(tmp_path, work)


def test_a_document_that_cannot_be_parsed_is_a_note_and_stays_what_it_was_for_the_others(tmp_path):
    """Every other key breaks the syntax; diagnostics elsewhere must not come and go with it."""

    async def work(client, uri):
        nets, bad = (tmp_path / "nets.py").as_uri(), NETS.replace("LayerNorm", "BatchNorm1d")
        client.open(nets, bad)
        client.open(uri, MAIN)
        await client.until(uri, ["BN401"])
        before = len([one for one in client.sent if one.uri == uri])
        client.change(nets, bad + "def f(:\n", 2)
        (found,) = await client.until(nets, ["BN901"])
        assert found.severity == lsp.DiagnosticSeverity.Hint
        client.change(nets, bad, 3)
        await client.until(nets, [])
        assert len([one for one in client.sent if one.uri == uri]) == before

    run(tmp_path, work)


def test_fast_changes_are_looked_at_once(tmp_path):
    """A look for each key would be late with all of them."""

    async def work(client, uri):
        client.open(uri, BAD)
        await client.until(uri, ["BN103"])
        for version in range(2, 42):
            client.change(uri, BAD + f"x = {version}\n", version)
        client.change(uri, BAD.replace(".eval", ".eval()"), 42)
        assert await client.codes(uri, 42) == []
        assert len([one for one in client.sent if one.version not in {1, 42}]) <= 1

    run(tmp_path, work)


def test_edits_are_only_offered_for_the_text_they_were_made_for(tmp_path):
    """Applied to another text they would go astray."""

    async def work(client, uri):
        client.open(uri, BAD)
        (found,) = await client.until(uri, ["BN103"])
        client.change(uri, "\n" + BAD, 2)
        assert list(await client.actions(uri, found)) == []
        await client.codes(uri, 2)
        assert len(await client.actions(uri, client.shown[uri].diagnostics[0])) == 2

    run(tmp_path, work)


@pytest.mark.parametrize("where", ["untitled:Untitled-1", "outside"])
def test_a_document_without_a_project_is_looked_at_alone(tmp_path, where):
    """A new buffer, or a file somewhere in a folder that is nobody's."""

    async def work(client, _):
        outside = tmp_path.parent / f"{tmp_path.name}-outside" / "b.py"
        uri = where if where.startswith("untitled") else outside.as_uri()
        client.open(uri, BAD)
        (found,) = await client.until(uri, ["BN103"])
        assert [one.title for one in await client.actions(uri, found)] == ["Call `net.eval()`", "Silence BN103 here"]
        client.text_document_did_close(lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(uri)))
        await client.until(uri, [])

    run(tmp_path, work)


def test_a_wrong_configuration_is_a_message_once(tmp_path):
    """The server stays alive, says what is wrong, and goes on when it is right again."""
    (tmp_path / "bnlint.toml").write_text("selct = []\n")

    async def work(client, uri):
        client.open(uri, BAD)
        message = await asyncio.wait_for(client.messages.get(), 60)
        assert "did you mean 'select'?" in message.message
        client.change(uri, BAD + "\n", 2)
        await asyncio.sleep(1)
        assert client.messages.empty()
        await asyncio.to_thread((tmp_path / "bnlint.toml").write_text, "")
        client.change(uri, BAD, 3)
        await client.until(uri, ["BN103"])

    run(tmp_path, work)
