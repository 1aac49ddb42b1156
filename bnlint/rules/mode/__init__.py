"""Is the model in the right mode?"""
