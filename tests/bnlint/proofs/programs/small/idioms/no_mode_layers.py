import copy
import torch
import torch.nn as nn


def predict(path, x):
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.LayerNorm(2))
    model.load_state_dict(torch.load(path, weights_only=True))
    with torch.no_grad():
        return model(x)
