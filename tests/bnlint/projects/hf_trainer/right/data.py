from torch.utils.data import DataLoader


def readers(folder):
    """Training texts and a loader of test texts."""
    return list(folder), DataLoader(list(folder))
