import torch.nn.functional as F
import torch.nn as nn


class L(nn.Module):
    def forward(self, x):
        return F.dropout(F.batch_norm(x, self.mean, self.var, training=self.training), 0.5, self.training)
