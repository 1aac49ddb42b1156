import torch
from vision.engine import accuracy, train_epoch
from vision.models.factory import build


def main(args, train_loader, test_loader):
    """Train and test."""
    net = build(args.classes)
    optimizer = torch.optim.SGD(net.parameters(), args.rate)
    for _ in range(args.epochs):
        train_epoch(net, train_loader, optimizer)
        print(accuracy(net, test_loader))
