"""PyTorch: whole programs that are right, and what is found once a single edit breaks them."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

DEFAULT = Config(jobs=-1)
NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, args=None):
        super().__init__()
        self.args = args
        self.width = args.width if args is not None else 8
        self.bn = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 10)

    def features(self, x):
        return self.bn(x)

    def forward(self, x):
        return self.head(self.features(x))
"""
TOLD = (
    NET
    + """

def run(model, loader, criterion, optimizer=None, train=True):
    if train:
        model.train()
    else:
        model.eval()
    right = 0
    for x, y in loader:
        with torch.set_grad_enabled(train):
            out = model(x)
            loss = criterion(out, y)
        if train:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        right += (out.argmax(1) == y).sum().item()
    return right


def main(train_loader, val_loader):
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(10):
        run(model, train_loader, nn.CrossEntropyLoss(), optimizer, train=True)
        run(model, val_loader, nn.CrossEntropyLoss(), train=False)
"""
)
BY_PHASE = (
    NET
    + """

class Trainer:
    def __init__(self, loaders):
        self.model = Net()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.loaders = loaders

    def set_mode(self, phase):
        self.model.train(phase == "train")

    def epoch(self, phase):
        self.set_mode(phase)
        right = 0
        for x, y in self.loaders[phase]:
            if phase == "train":
                loss = nn.functional.cross_entropy(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
            else:
                with torch.no_grad():
                    right += (self.model(x).argmax(1) == y).sum().item()
        return right

    def fit(self):
        for _ in range(10):
            self.epoch("train")
            self.epoch("val")
"""
)
BY_OPTIMIZER = (
    NET
    + """

def epoch(loader, model, optimizer=None):
    training = optimizer is not None
    model.train(training)
    right = 0
    for x, y in loader:
        pred = model(x)
        loss = nn.functional.cross_entropy(pred, y)
        if optimizer:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        right += (pred.argmax(1) == y).sum().item()
    return right


def main(train_loader, test_loader):
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(10):
        epoch(train_loader, model, optimizer)
        with torch.no_grad():
            epoch(test_loader, model)
"""
)
SCALER = (
    NET
    + """

def train_one_epoch(model, criterion, data_loader, optimizer, loss_scaler):
    model.train(True)
    for samples, targets in data_loader:
        loss = criterion(model(samples), targets)
        loss_scaler(loss, optimizer, parameters=model.parameters())
        optimizer.zero_grad()


@torch.no_grad()
def evaluate(data_loader, model):
    model.eval()
    right = 0
    for images, target in data_loader:
        output = model(images)
        right += (output.argmax(1) == target).sum().item()
    return right


def main(loader_train, loader_val, loss_scaler):
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(10):
        train_one_epoch(model, nn.CrossEntropyLoss(), loader_train, optimizer, loss_scaler)
        print(evaluate(loader_val, model))
"""
)
NO_GRAD_MISSING = (
    NET
    + """

class Wide(Net):
    pass


def train(args, train_loader, test_loader):
    if args.model == "net":
        model = Net(args)
    elif args.model == "wide":
        model = Wide(args)
    else:
        raise ValueError(args.model)
    model = nn.DataParallel(model)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(args.epochs):
        model.train()
        for data, label in train_loader:
            opt.zero_grad()
            loss = nn.functional.cross_entropy(model(data), label)
            loss.backward()
            opt.step()
        model.eval()
        found = []
        for data, label in test_loader:
            logits = model(data)
            preds = logits.max(dim=1)[1]
            found.append(preds.detach())
"""
)
CHOSEN = {
    "models/small.py": NET.replace("class Net", "class get_model"),
    "train.py": """\
import importlib
import torch
from torch import nn


def main(args, trainDataLoader, testDataLoader):
    MODEL = importlib.import_module(args.model)
    classifier = MODEL.get_model().cuda()
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.1)
    for epoch in range(args.epoch):
        classifier = classifier.train()
        for points, target in trainDataLoader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(classifier(points), target)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            classifier = classifier.eval()
            for points, target in testDataLoader:
                pred = classifier(points)
                print((pred.argmax(1) == target).sum().item())
""",
}
FACTORY = {
    "net/layers.py": NET,
    "net/__init__.py": "from .modeling import *\n",
    "net/modeling.py": '"""'
    + "Networks by name. " * 300
    + '"""\nfrom .layers import Net\n\n\ndef _load(name):\n    model = Net()\n    return model\n\n\n'
    "def small(classes=10):\n    return _load('small')\n\n\ndef large(classes=10):\n    return _load('large')\n",
    "predict.py": """\
import torch
import net


def main(opts, images):
    model = net.modeling.__dict__[opts.model](classes=10)
    checkpoint = torch.load(opts.ckpt, map_location="cpu")
    model.load_state_dict(checkpoint["state"])
    with torch.no_grad():
        model = model.eval()
        for image in images:
            print(model(image).max(1)[1])
""",
}
FEATURES = {
    "net.py": NET,
    "extract.py": """\
import torch
from net import Net


@torch.no_grad()
def extract(model, loader):
    return [model.features(x) for x, _ in loader]


def main(path, loader):
    model = Net()
    model.load_state_dict(torch.load(path))
    model.eval()
    return extract(model, loader)
""",
}
GETATTR = (
    NET
    + """

def predict(path, images):
    model = Net()
    model.load_state_dict(torch.load(path))
    getattr(model, "eval")()
    with torch.no_grad():
        return [model(image) for image in images]
"""
)
LAST_ROUND = (
    NET
    + """

def fit(model, train_loader, val_loader, optimizer, epochs):
    for epoch in range(epochs):
        model.train()
        for step, (x, y) in enumerate(train_loader):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step == len(train_loader) - 1:
                model.eval()
                with torch.no_grad():
                    print(sum((model(x).argmax(1) == y).sum().item() for x, y in val_loader))


def main(train_loader, val_loader):
    model = Net()
    fit(model, train_loader, val_loader, torch.optim.SGD(model.parameters(), lr=0.1), 10)
"""
)
APPLIED = (
    NET
    + """

def quiet(module):
    module.training = False


def predict(path, images):
    model = Net()
    model.load_state_dict(torch.load(path))
    model.apply(quiet)
    with torch.no_grad():
        return [model(image) for image in images]
"""
)
TEMPLATE = {
    "base.py": """\
class BaseTrainer:
    def __init__(self, model):
        self.model = model

    def _train_epoch(self, epoch):
        raise NotImplementedError

    def train(self, epochs):
        for epoch in range(epochs):
            self._train_epoch(epoch)
""",
    "trainer.py": """\
import torch
from base import BaseTrainer
from torch import nn


class Trainer(BaseTrainer):
    def __init__(self, model, optimizer, trainloader, validloader):
        super().__init__(model)
        self.optimizer = optimizer
        self.trainloader = trainloader
        self.validloader = validloader

    def _train_epoch(self, epoch):
        self.model.train()
        self.model.freeze_bn()
        for data, target in self.trainloader:
            self.optimizer.zero_grad()
            output = self.model(data)
            loss = nn.functional.cross_entropy(output, target)
            loss.backward()
            self.optimizer.step()
        self._valid_epoch(epoch)

    def _valid_epoch(self, epoch):
        self.model.eval()
        with torch.no_grad():
            for data, target in self.validloader:
                print((self.model(data).argmax(1) == target).sum())
""",
    "main.py": """\
import torch
from trainer import Trainer


def main(config, loaders):
    model = config.init_obj("arch")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, optimizer, *loaders)
    trainer.train(10)
""",
}
FROM_PHASE = (
    NET
    + """

def train(trainloader, valloader):
    model = {"net": Net}.get("net")()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for images, labels in trainloader:
        model.train()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            for images_val, labels_val in valloader:
                outputs = model(images_val)
                print((outputs.argmax(1) == labels_val).sum())
"""
)
BY_EVAL = (
    NET
    + """

def tag(args, waveform):
    Model = eval(args.model_type)
    model = Model()
    model.load_state_dict(torch.load(args.path))
    with torch.no_grad():
        model.eval()
        return model(waveform)
"""
)
STEP = "        model.train()\n"
# program, the text that is edited, what stands there then, the line reported, the rule
EDITS = [
    (TOLD, "    else:\n        model.eval()\n", "", "out = model(x)", "BN101"),
    (TOLD, "    if train:\n        model.train()\n    else:\n", "    if not train:\n", "model.eval()", "BN102"),
    (BY_PHASE, 'train(phase == "train")', "train()", "right += (self.model(x).argmax(1) == y).sum().item()", "BN101"),
    (BY_OPTIMIZER, "model.train(training)", "model.train()", "pred = model(x)", "BN101"),
    (SCALER, "    model.train(True)\n", "", "model.eval()", "BN102"),
    (SCALER, "    model.eval()\n", "", "output = model(images)", "BN101"),
    (NO_GRAD_MISSING, STEP, "", "model.eval()", "BN102"),
    (NO_GRAD_MISSING, "        model.eval()\n", "", "logits = model(data)", "BN101"),
    (CHOSEN, "            classifier = classifier.eval()\n", "", "pred = classifier(points)", "BN101"),
    (CHOSEN, "        classifier = classifier.train()\n", "", "classifier = classifier.eval()", "BN102"),
    (FACTORY, "        model = model.eval()\n", "", "print(model(image).max(1)[1])", "BN101"),
    (FEATURES, "    model.eval()\n", "", "return [model.features(x) for x, _ in loader]", "BN101"),
    (LAST_ROUND, "if step == len(train_loader) - 1:", "if step % 100 == 0:", "model.eval()", "BN102"),
    (LAST_ROUND, "        model.train()\n", "", "model.eval()", "BN102"),
    (APPLIED, "    model.apply(quiet)\n", "", "return [model(image) for image in images]", "BN101"),
    (TEMPLATE, "        self.model.train()\n", "", "self.model.eval()", "BN102"),
    (FROM_PHASE, "        model.eval()\n", "", "outputs = model(images_val)", "BN101"),
    (BY_EVAL, "        model.eval()\n", "", "return model(waveform)", "BN101"),
    (GETATTR, '    getattr(model, "eval")()\n', "", "return [model(image) for image in images]", "BN101"),
]
# Correct programs that look like mistakes.
RIGHT = {
    "a wrapper around a network that is in eval mode": NET
    + """

class Wrapped(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(2 * x)


def load(path):
    net = Net()
    net.load_state_dict(torch.load(path))
    return Wrapped(net.eval()).cuda()


def predict(path, images):
    net = load(path)
    with torch.no_grad():
        return [net(x) for x in images]
""",
    "a teacher that follows its student": NET
    + """

def train(loader):
    student, teacher = Net(), Net()
    for p in teacher.parameters():
        p.requires_grad = False
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    student.train()
    teacher.train()
    for x, _ in loader:
        loss = (student(x) - teacher(x)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for q, k in zip(student.parameters(), teacher.parameters()):
                k.data.mul_(0.99).add_(0.01 * q.detach().data)
""",
    "a head that learns on a frozen body": NET
    + """

def train(loader):
    model = Net()
    for _, p in model.named_parameters():
        p.requires_grad = False
    model.head = nn.Sequential(nn.BatchNorm1d(8, affine=False), nn.Linear(8, 10))
    for _, p in model.head.named_parameters():
        p.requires_grad = True
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    model.train()
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
    "two parts that learn in turns": NET
    + """

def train(loader):
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()
    for param in model.bn.parameters():
        param.requires_grad = False
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for param in model.bn.parameters():
        param.requires_grad = True
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
    "a graph that is only drawn": NET
    + """

def train(writer, images):
    model = Net()
    model.train()
    writer.add_graph(torch.jit.trace(model, images, strict=False), [])
""",
    "a pass that asks for the shape": NET
    + """

def build(path):
    model = Net()
    model.load_state_dict(torch.load(path))
    with torch.no_grad():
        width = model(torch.zeros(2, 8)).shape[1]
    return model, width
""",
    "a generator that samples with the statistics of the batch": NET.replace("Net", "Generator")
    + """

def sample(path):
    generator = Generator()
    generator.load_state_dict(torch.load(path))
    with torch.no_grad():
        return generator(torch.randn(64, 8))
""",
    "a language model that reads backward": NET
    + """

def evaluate(model, test_loader):
    model.eval()
    with torch.no_grad():
        return [model.backward_lstm(x).argmax(1) for x, _ in test_loader]
""",
}


def files_of(program):
    """A program of one file is ``t.py``."""
    return program if isinstance(program, dict) else {"t.py": program}


def reported(files):
    """Lines and codes of what is found."""
    found = found_in(files, RULES, DEFAULT)
    return [(files[path].splitlines()[line - 1].strip(), code) for path, line, code in found]


@pytest.mark.parametrize(("program", "old", "new", "line", "code"), EDITS)
def test_one_edit_breaks_a_right_program(program, old, new, line, code):
    """The program as it stands is right; after the edit the mistake is found, and nothing else."""
    files = files_of(program)
    assert reported(files) == []
    broken = {path: text.replace(old, new) for path, text in files.items()}
    assert broken != files
    assert reported(broken) == [(line, code)]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_program_is_silent(name):
    """It looks like a mistake, and is none."""
    assert reported(files_of(RIGHT[name])) == []
