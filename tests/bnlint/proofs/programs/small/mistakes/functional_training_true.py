import torch.nn.functional as F
import torch.nn as nn


class L(nn.Module):
    def forward(self, x):
        return F.dropout(F.batch_norm(x, self.mean, self.var, training=True), 0.5, True)
