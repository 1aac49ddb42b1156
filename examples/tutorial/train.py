"""Train, evaluate, keep the weights: python train.py"""

import torch

from data import batches
from engine import evaluate, train_epoch
from net import Net


def main():
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), 0.003)
    for epoch in range(30):
        train_epoch(model, batches(epoch, 2048), optimizer)
    shuffled = evaluate(model, batches(100, 1024))
    in_folders = evaluate(model, batches(100, 1024, by_class=True))
    print(f"accuracy on shuffled test data: {shuffled:.2f}")
    print(f"accuracy on test data in folders: {in_folders:.2f}")
    torch.save(model.state_dict(), "weights.pt")


if __name__ == "__main__":
    main()
