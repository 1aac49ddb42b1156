import copy
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        self.bn = nn.BatchNorm2d(8)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


def train_one(model, train_loader, opt, crit):
    model.train()
    for x, y in train_loader:
        opt.zero_grad()
        loss = crit(model(x), y)
        loss.backward()
        opt.step()


def run(model, loader, opt, crit):
    swa = torch.optim.swa_utils.AveragedModel(model)
    for epoch in range(10):
        train_one(model, loader, opt, crit)
        swa.update_parameters(model)
    torch.optim.swa_utils.update_bn(loader, swa)
    torch.save(swa.state_dict(), "swa.pt")
