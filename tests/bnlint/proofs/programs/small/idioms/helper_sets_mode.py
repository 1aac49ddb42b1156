import copy
import torch
import torch.nn as nn


def set_mode(model, training):
    model.train(training)


def main(model, train_loader, val_loader, opt, crit, epochs):
    for epoch in range(epochs):
        set_mode(model, True)
        for x, y in train_loader:
            opt.zero_grad()
            crit(model(x), y).backward()
            opt.step()
        model.eval()
        with torch.no_grad():
            for x, y in val_loader:
                model(x)
