"""The rules: one a file, in families that follow the question they ask. No LibCST here."""
