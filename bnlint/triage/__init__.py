"""What is shown of what was found: chosen by the configuration, not silenced by a comment, not known from before."""
