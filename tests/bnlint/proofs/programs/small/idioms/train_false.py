import copy
import torch
import torch.nn as nn


def validate(model, val_loader):
    model.train(False)
    with torch.no_grad():
        for x, y in val_loader:
            model(x)
