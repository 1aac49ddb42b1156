"""Outputs: one file a format, a table that names them."""
