import copy
import torch
import torch.nn as nn


def train_epoch(model, loader, opt, crit):
    model.train()
    for x, y in loader:
        opt.zero_grad()
        crit(model(x), y).backward()
        opt.step()


def validate(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            model(x)


def main(model, train_loader, val_loader, opt, crit, epochs):
    for epoch in range(epochs):
        train_epoch(model, train_loader, opt, crit)
        validate(model, val_loader)
