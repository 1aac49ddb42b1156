from torch import nn


def fit(model, train_loader, optimizer):
    """One pass over the training data."""
    model.train()
    for pictures, labels in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(pictures), labels).backward()
        optimizer.step()
