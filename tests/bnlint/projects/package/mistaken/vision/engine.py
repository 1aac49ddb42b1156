import torch
from torch import nn


def train_epoch(net, train_loader, optimizer):
    """One pass over the training data."""
    net.train()
    for images, labels in train_loader:
        loss = nn.functional.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def accuracy(net, test_loader):
    """Share of test images that are recognised."""
    right = total = 0
    for images, labels in test_loader:
        right += (net(images).argmax(1) == labels).sum().item()  # error: [BN101]
        total += len(labels)
    return right / total
