"""Repairs: edits of findings applied to files, and proven by linting the result again."""
