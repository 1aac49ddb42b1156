"""What follows from the facts of all files together: who is who, what holds batch norm, which mode, which flag."""
