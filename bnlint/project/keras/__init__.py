"""Keras programs: where they train, with which model, and which Keras they are written for."""
