"""PyTorch's names as data: the tables agree with PyTorch itself, and the words with names that people use."""

import pytest

from bnlint.frameworks import torch as table
from bnlint.project.torch.outside import external, zoo_of
from bnlint.project.torch.words import Vocabulary, parts


@pytest.mark.parametrize(
    "name", sorted(n for n in table.MODE_LAYERS if n.startswith("torch.nn.") and n.count(".") == 2)
)
def test_layers_exist_in_torch(name):
    """Every layer of torch.nn in the table is one of torch, and is a Module."""
    nn = pytest.importorskip("torch").nn
    assert issubclass(getattr(nn, name.rsplit(".", 1)[-1], nn.modules.batchnorm._BatchNorm), nn.Module)


def test_all_batch_norms_of_torch_are_known():
    """No batch norm or dropout class of torch.nn is missing from the table."""
    nn = pytest.importorskip("torch").nn
    kinds = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
    known = {name.rsplit(".", 1)[-1] for name in table.MODE_LAYERS}
    assert {n for n, c in vars(nn).items() if isinstance(c, type) and issubclass(c, kinds)} <= known


@pytest.mark.parametrize(("name", "position"), sorted(table.ALWAYS_ON_DROPOUTS.items()))
def test_functional_dropouts_are_on_by_default(name, position):
    """What the table calls always on has training=True by default, at that position."""
    import inspect

    functional = pytest.importorskip("torch.nn.functional")
    parameters = list(inspect.signature(getattr(functional, name.rsplit(".", 1)[-1])).parameters.values())
    assert parameters[position].name == "training"
    assert parameters[position].default is True


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("torchvision.models.resnet50", "train"),
        ("timm.create_model", "train"),
        ("transformers.AutoModel.from_pretrained", "eval"),
        ("segmentation_models_pytorch.Unet", "train"),
    ],
)
def test_zoos_come_in_their_mode(name, mode):
    """Each zoo says in which mode its networks come."""
    assert zoo_of(name).mode == mode
    assert external(name, None).sensitive == "yes"


@pytest.mark.parametrize("name", ["transformers.AutoTokenizer.from_pretrained", "timm.list_models", "torch.nn.Linear"])
def test_what_is_no_network_is_in_no_zoo(name):
    """Tokenizers, lists and layers are no networks of a zoo."""
    assert zoo_of(name) is None


@pytest.mark.parametrize(
    ("name", "evaluates", "trains"),
    [
        ("validate", True, False),
        ("eval_one_epoch", True, False),
        ("testModel", True, False),
        ("train_one_epoch", False, True),
        ("train_and_evaluate", False, False),
        ("retrieval", False, False),
        ("main", False, False),
    ],
)
def test_words_of_functions(name, evaluates, trains):
    """A function is named after an evaluation or after training by whole words; both at once say nothing."""
    assert (Vocabulary().evaluating_name(name), Vocabulary().training_name(name)) == (evaluates, trains)


def test_names_are_split_into_words():
    """Underscores, capitals and digits divide words."""
    assert parts("valLoader2_HTTPData") == {"val", "loader", "2", "http", "data"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mc_dropout", True),
        ("keep the model in train mode", True),
        ("switch to train mode", False),
        ("stochastic weights", False),
    ],
)
def test_intent_is_read_from_words(text, says):
    """A comment that only describes the line below is no intent."""
    assert Vocabulary().meant(text) is says
