import torch
from classifier import Classifier


def predict(path, test_loader):
    """Classes of the test images: no trainer is at work here."""
    model = Classifier.load_from_checkpoint(path)
    with torch.no_grad():
        return [model(images).argmax(1) for images, _ in test_loader]  # error: [BN101]
