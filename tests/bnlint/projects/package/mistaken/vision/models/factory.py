from vision.models.net import Net


def build(classes):
    """The network of the program."""
    return Net(classes)
