"""Does the training flag arrive?"""
