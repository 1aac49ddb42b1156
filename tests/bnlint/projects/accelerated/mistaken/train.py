import torch
from accelerate import Accelerator
from net import Net
from torch import nn
from validation import validate


def main(train_loader, val_loader, epochs):
    """Train with accelerate."""
    accelerator = Accelerator()
    net = Net(10)
    optimizer = torch.optim.AdamW(net.parameters())
    net, optimizer, train_loader, val_loader = accelerator.prepare(net, optimizer, train_loader, val_loader)
    net.train()
    for _ in range(epochs):
        for images, labels in train_loader:
            loss = nn.functional.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
        print(validate(net, val_loader))
