"""A language server: what the command line reports, while one types. Needs the extra ``lsp`` (pygls)."""
