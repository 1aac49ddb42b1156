"""Names and habits of the frameworks, as data: one table a family, and the words that make a file worth reading."""
