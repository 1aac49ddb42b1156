"""Names mean the same to bnlint as to Python: aliases, re-exports, relative imports, classes, attributes."""

import pytest

from bnlint.facts import model as m
from bnlint.facts.extract import extract
from bnlint.project.link import Project, link
from bnlint.project.names import Definition, External, Module, Parameter, Value


def project(**files: str) -> Project:
    """A project of files; ``pkg_nets`` is ``pkg/nets.py``, and ``pkg_init`` the package itself."""
    paths = {name.replace("_", "/").replace("/init", "/__init__") + ".py": text for name, text in files.items()}
    return link([extract(path, "", text) for path, text in paths.items()])


def meaning(p: Project, path: str, text: str, function: str = ""):
    """What the expression `text` means at the end of the file `path`, or inside one of its functions."""
    (statement,) = extract("x.py", "", text + "\n").body
    assert isinstance(statement, m.Do)
    scope = next(s for s in p.names.scopes(path).values() if s.qualname == function)
    return p.names.resolve(statement.value, scope)


@pytest.mark.parametrize(
    ("source", "expression"),
    [
        ("import tensorflow as tf", "tf.layers.dense"),
        ("import tensorflow", "tensorflow.layers.dense"),
        ("from tensorflow import layers", "layers.dense"),
        ("from tensorflow.layers import dense as d", "d"),
        ("import tensorflow as tf\nL = tf.layers", "L.dense"),
        ("import tensorflow.layers", "tensorflow.layers.dense"),
        ("try:\n    import tensorflow as tf\nexcept ImportError:\n    tf = None", "tf.layers.dense"),
        ("def f():\n    global tf\n    import tensorflow as tf", "tf.layers.dense"),
    ],
)
def test_every_spelling_of_an_import_means_the_same(source, expression):
    """A rule names a function once."""
    assert meaning(project(a=source), "a.py", expression) == External("tensorflow.layers.dense")


def test_a_local_name_hides_an_import():
    """Python looks inside first."""
    p = project(a="import torch as net\ndef f(net):\n    return net\n")
    assert isinstance(meaning(p, "a.py", "net", "f"), Parameter)
    assert meaning(p, "a.py", "net") == External("torch")


def test_a_class_body_is_not_seen_from_its_methods():
    """The rule of Python that everybody forgets."""
    p = project(a="import torch\nclass A:\n    torch = 1\n    def f(self):\n        return torch\n")
    assert meaning(p, "a.py", "torch", "A.f") == External("torch")


def test_a_name_with_two_values_is_unknown():
    """What is not sure is not said."""
    assert meaning(project(a="x = f()\nx = g()\n"), "a.py", "x") is None


def test_re_exports_are_followed_through_packages():
    """``from .nets import *`` in an ``__init__`` is how most packages are laid out."""
    p = project(
        main="import pkg\nfrom pkg import Net, norm\n",
        pkg_init="from .nets import *\nfrom .ops import bn as norm\n",
        pkg_nets="from . import ops\nclass Net: pass\n",
        pkg_ops="def bn(x): pass\n",
    )
    net, norm = meaning(p, "main.py", "Net"), meaning(p, "main.py", "norm")
    assert isinstance(net, Definition)
    assert net.path == "pkg/nets.py"
    assert isinstance(norm, Definition)
    assert norm.path == "pkg/ops.py"
    assert meaning(p, "main.py", "pkg.ops.bn") == norm
    assert meaning(p, "pkg/nets.py", "ops.bn") == norm
    assert isinstance(meaning(p, "main.py", "pkg.nets"), Module)


def test_modules_that_import_each_other_in_a_circle_end():
    """A circle of star imports has no answer, and no endless search."""
    p = project(a="from b import *\n", b="from a import *\n")
    assert meaning(p, "a.py", "x") is None


def test_the_nearest_file_wins_when_two_have_the_name():
    """Repositories hold several ``utils.py``."""
    p = project(x_train="from utils import f\n", x_utils="def f(): pass\n", y_utils="def f(): pass\n")
    found = meaning(p, "x/train.py", "f")
    assert isinstance(found, Definition)
    assert found.path == "x/utils.py"


def test_a_file_elsewhere_is_not_taken_for_a_plain_module_name():
    """``import utils`` may mean an installed package: a stranger's ``utils.py`` proves nothing."""
    p = project(x_train="from utils import f\n", y_utils="def f(): pass\n")
    assert meaning(p, "x/train.py", "f") == External("utils.f")


def test_a_folder_named_like_a_framework_does_not_hide_it():
    """``converter/tensorflow`` is a part of the package ``converter``."""
    p = project(
        converter_init="",
        converter_tensorflow_init="",
        converter_tensorflow_layers="def dense(): pass\n",
        converter_tensorflow_network="import tensorflow as tf\n",
    )
    assert meaning(p, "converter/tensorflow/network.py", "tf.layers.dense") == External("tensorflow.layers.dense")


def test_methods_are_found_in_bases_of_other_files():
    """Inheritance crosses files."""
    p = project(
        a="from b import Base\nclass Net(Base): pass\n",
        b="import torch\nclass Base(torch.nn.Module):\n    def f(self): pass\n",
    )
    net = meaning(p, "a.py", "Net")
    assert isinstance(net, Definition)
    method = p.names.method(net, "f")
    assert method is not None
    assert method.path == "b.py"
    assert External("torch.nn.Module") in p.names.ancestors(net)


def test_attributes_of_self_are_collected_from_all_methods():
    """``self.bn`` may be set anywhere in the class."""
    p = project(a="class A:\n    k = 0\n    def __init__(self): self.bn = f()\n    def g(me): me.bn = h()\n")
    cls = meaning(p, "a.py", "A")
    assert isinstance(cls, Definition)
    assert len(p.names.attribute_values(cls, "bn")) == 2
    assert len(p.names.attribute_values(cls, "k")) == 1


def test_unpacking_pairs_names_with_values():
    """``a, b = x, y`` binds each to its own."""
    p = project(a="import torch\na, b = torch.nn, f()\n(c, d) = g()\n")
    assert meaning(p, "a.py", "a") == External("torch.nn")
    assert isinstance(meaning(p, "a.py", "b"), Value)
    assert meaning(p, "a.py", "c") is None


# --- calls ---


def sites(p: Project, path: str, name: str) -> list[str]:
    """Files and scopes that call a function, method or class."""
    definition = meaning(p, path, name)
    assert isinstance(definition, Definition)
    return sorted(f"{s.scope.path}:{s.scope.qualname}" for s in p.calls.sites(definition))


NETS = """
class Base:
    def fit(self, x, training=False): return x
class Net(Base):
    def __init__(self, mode=True):
        self.inner = Base()
    def forward(self, x):
        return self.inner.fit(x)
def make(): return Net(mode=False)
"""


def test_a_method_call_is_found_through_the_class_of_the_object():
    """Objects come from constructors, attributes of self and functions that return them."""
    p = project(nets=NETS, main="from nets import make\ndef main():\n    n = make()\n    n.fit(1, True)\n    n(3)\n")
    assert sites(p, "nets.py", "Base.fit") == ["main.py:main", "nets.py:Net.forward"]
    assert sites(p, "nets.py", "Net.forward") == ["main.py:main"]
    assert sites(p, "nets.py", "Net") == ["nets.py:make"]


def test_super_means_the_base_and_not_the_class():
    """``super().f()`` in the override must not look like a call of itself."""
    p = project(a="class A:\n    def f(self): pass\nclass B(A):\n    def f(self): super().f()\n")
    assert sites(p, "a.py", "A.f") == ["a.py:B.f"]
    assert sites(p, "a.py", "B.f") == []


@pytest.mark.parametrize(
    ("call", "value", "explicit", "known"),
    [
        ("f(1, True)", True, True, True),
        ("f(1, training=True)", True, True, True),
        ("f(1)", False, False, True),
        ("f(*a)", None, True, False),
        ("f(1, **k)", None, True, False),
        ("f(*a, training=True)", True, True, True),
    ],
)
def test_what_a_caller_gives_to_a_parameter(call, value, explicit, known):
    """By position, by keyword, by default, or hidden behind a star."""
    p = project(a=f"def f(x, training=False): pass\n{call}\n")
    function = meaning(p, "a.py", "f")
    assert isinstance(function, Definition)
    (passed,) = p.calls.passed(function, "training")
    assert (passed.explicit, passed.known) == (explicit, known)
    if known:
        assert passed.value is not None
        assert isinstance(passed.value.expr, m.Const)
        assert passed.value.expr.value is value


def test_an_object_defined_by_itself_is_unknown():
    """``x = x.y`` has no class, and no endless search."""
    p = project(
        a="def f(x):\n    x = x.g()\n    x = x.h()\n    return x\nclass A:\n    def k(self): self.z = self.z.w()\n"
    )
    assert list(p.calls.sites_in("a.py"))
    for site in p.calls.all_sites():
        assert p.calls.target(site.call, site.scope) is None


def test_modules_that_star_each_other_are_asked_once():
    """A package whose modules all import * from each other has more ways than anybody could walk."""
    stars = "".join(f"from .m{n} import *\n" for n in range(14))
    files = {f"pkg_m{n}": stars + f"from .m{(n + 1) % 14} import wanted{n}\n" for n in range(14)}
    p = project(pkg_init="", pkg_last="class Net: pass\n", **{**files, "pkg_m13": stars + "from .last import *\n"})
    found = meaning(p, "pkg/m0.py", "Net")
    assert isinstance(found, Definition)
    assert found.path == "pkg/last.py"
    assert meaning(p, "pkg/m0.py", "wanted7") is None
    assert meaning(p, "pkg/m5.py", "Net") == found
