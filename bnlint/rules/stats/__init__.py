"""Are the statistics updated, kept, copied and frozen as meant?"""
