"""A session of a real client with the language server, over pipes."""

import asyncio
import sys

import pytest

lsp = pytest.importorskip("lsprotocol.types")
client_module = pytest.importorskip("pygls.lsp.client")

BAD = "import torch\n\ndef go(net):\n    ''' 😀 '''; net.eval\n"


class Client(client_module.LanguageClient):
    """Keeps the diagnostics it is sent."""

    def __init__(self):
        super().__init__("test", "1")
        self.diagnostics = asyncio.Queue()
        self.messages = asyncio.Queue()
        self.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda params: self.diagnostics.put_nowait(params))  # noqa: PLW0108 - pygls writes on the function
        self.feature(lsp.WINDOW_SHOW_MESSAGE)(lambda params: self.messages.put_nowait(params))  # noqa: PLW0108 - see above

    async def shown(self):
        """The next diagnostics."""
        return list((await asyncio.wait_for(self.diagnostics.get(), 30)).diagnostics)


async def session(folder, work):
    """Start a server, open `a.py` with the bad text, and do `work`."""
    client = Client()
    await client.start_io(sys.executable, "-m", "bnlint", "server")
    params = lsp.InitializeParams(capabilities=lsp.ClientCapabilities(), root_uri=folder.as_uri(), process_id=None)
    await client.initialize_async(params)
    client.initialized(lsp.InitializedParams())
    uri = (folder / "a.py").as_uri()
    document = lsp.TextDocumentItem(uri, "python", 1, BAD)
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(document))
    try:
        await work(client, uri)
    finally:
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()


def run(folder, work):
    """Run a session to its end."""
    (folder / "pyproject.toml").write_text("")
    asyncio.run(asyncio.wait_for(session(folder, work), 90))


def change(client, uri, text, version=2):
    """Replace the text of a document."""
    params = lsp.DidChangeTextDocumentParams(
        lsp.VersionedTextDocumentIdentifier(version, uri), [lsp.TextDocumentContentChangeWholeDocument(text)]
    )
    client.text_document_did_change(params)


def test_diagnostics_quick_fixes_and_hover(tmp_path):
    """Open, look, repair, look again; columns are counted in UTF-16."""

    async def work(client, uri):
        (found,) = await client.shown()
        assert (found.code, found.source) == ("BN103", "bnlint")
        assert (found.range.start.line, found.range.start.character) == (3, 16)
        identifier = lsp.TextDocumentIdentifier(uri)
        context = lsp.CodeActionContext([found])
        actions = await client.text_document_code_action_async(lsp.CodeActionParams(identifier, found.range, context))
        assert [action.title for action in actions] == ["Call `net.eval()`", "Silence BN103 here"]
        (edit,) = actions[0].edit.changes[uri]
        assert edit.new_text == "    ''' 😀 '''; net.eval()\n"
        (edit,) = actions[1].edit.changes[uri]
        assert edit.new_text == "  # bnlint: ignore[BN103]"
        hover = await client.text_document_hover_async(lsp.HoverParams(identifier, found.range.start))
        assert hover.contents.value.startswith("# BN103 eval-without-call")
        assert await client.text_document_hover_async(lsp.HoverParams(identifier, lsp.Position(0, 0))) is None
        change(client, uri, BAD.replace("net.eval", "net.eval()"))
        assert await client.shown() == []

    run(tmp_path, work)


def test_unsaved_texts_of_other_files_count(tmp_path):
    """A finding that rests on another file follows that file while it is edited."""
    (tmp_path / "nets.py").write_text("import torch.nn as nn\nmake = nn.LayerNorm\n")

    async def work(client, uri):
        await client.shown()
        main = "import torch\nfrom nets import make\nbn = make(3, momentum=0.99)\n"
        change(client, uri, main)
        assert await client.shown() == []
        nets = (tmp_path / "nets.py").as_uri()
        text = "import torch.nn as nn\nmake = nn.BatchNorm1d\n"
        client.text_document_did_open(lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(nets, "python", 1, text)))
        await client.shown()
        change(client, uri, main + "\n", 3)
        assert [one.code for one in await client.shown()] == ["BN401"]

    run(tmp_path, work)


def test_a_wrong_configuration_is_a_message(tmp_path):
    """The server stays alive and says what is wrong."""
    (tmp_path / "bnlint.toml").write_text("selct = []\n")

    async def work(client, uri):
        message = await asyncio.wait_for(client.messages.get(), 30)
        assert "did you mean 'select'?" in message.message
        await asyncio.to_thread((tmp_path / "bnlint.toml").write_text, "")
        change(client, uri, BAD)
        assert len(await client.shown()) == 1

    run(tmp_path, work)
