import copy
import torch
import torch.nn as nn


def main(model, train_loader, val_loader, opt, crit, epochs):
    ema = copy.deepcopy(model)
    for epoch in range(epochs):
        model.train()
        for x, y in train_loader:
            opt.zero_grad()
            crit(model(x), y).backward()
            opt.step()
        ema.eval()
        with torch.no_grad():
            for x, y in val_loader:
                ema(x)
