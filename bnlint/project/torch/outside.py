"""What functions and classes from outside the project hold, by their full names."""

from typing import Literal, NamedTuple

from bnlint.facts import model as m
from bnlint.frameworks import torch as table

ANY = "any"  # one of a module's networks, chosen by name: see registries


class Holding(NamedTuple):
    """What a network holds: `sensitive` yes, no or maybe; the first layer found, and whether one is a batch norm."""

    sensitive: Literal["yes", "no", "maybe"]
    layer: str = ""
    batch_norm: bool = False

    def __or__(self, other: object) -> "Holding":
        assert isinstance(other, Holding)
        sure = "yes" in (self.sensitive, other.sensitive)
        both = self.sensitive == other.sensitive == "no"
        verdict: Literal["yes", "no", "maybe"] = "yes" if sure else "no" if both else "maybe"
        norm = self if self.batch_norm or not other.batch_norm else other
        layer = norm.layer if norm.batch_norm else self.layer or other.layer
        return Holding(verdict, layer, self.batch_norm or other.batch_norm)


NOTHING = Holding("no")
UNKNOWN = Holding("maybe")


def external(name: str, call: m.Call | None) -> Holding:
    """What something outside the project holds, by its full name."""
    if name in table.MODE_LAYERS:
        off = call is not None and table.MODE_LAYERS[name] == "dropout" and _is_zero(call, 0, "p")
        return NOTHING if off else Holding("yes", last_name(name), name in table.BATCH_NORMS)
    if name in table.INSTANCE_NORMS:
        tracks = call is not None and any(a.keyword == "track_running_stats" and _truth(a.value) for a in call.args)
        return Holding("yes", last_name(name)) if tracks else NOTHING
    if name in table.ALWAYS_ON_DROPOUTS or name in table.FUNCTIONAL_BATCH_NORM:
        return Holding("yes", f"F.{last_name(name)}", "batch_norm" in name)
    if name.startswith("torch.nn.") and last_name(name) in table.DROPOUT_ARGUMENT:
        return _with_dropout_argument(name, call)
    if name.startswith("torch."):
        return _hub(name)
    zoo = zoo_of(name)
    if zoo is not None:
        known = "" if last_name(name) == ANY else last_name(name)
        return Holding("yes", known, zoo.holds) if zoo.holds else UNKNOWN
    return UNKNOWN if call is not None and last_name(name)[:1].isupper() and not is_plain(name) else NOTHING


def zoo_of(name: str) -> table.Zoo | None:
    """The zoo that a function comes from; None for those that make no network."""
    last = last_name(name)
    if last in table.NOT_NETWORKS or last.endswith("_Weights"):
        return None
    fitting = [zoo for zoo in table.ZOOS if name.startswith(zoo.prefix)]
    zoo = max(fitting, key=lambda z: len(z.prefix), default=None)
    if zoo is not None and zoo.prefix == "transformers.":
        return zoo if ".from_pretrained" in name and not _is_no_model(name) else None
    return zoo


def _is_no_model(name: str) -> bool:
    return any(word in name for word in ("Tokenizer", "Processor", "Config", "FeatureExtractor"))


def _hub(name: str) -> Holding:
    return UNKNOWN if name in {"torch.hub.load", "torch.load", "torch.jit.load"} else NOTHING


def _with_dropout_argument(name: str, call: m.Call | None) -> Holding:
    position, default = table.DROPOUT_ARGUMENT[last_name(name)]
    given: m.Expr | None = None
    if call is not None:
        given = next((a.value for a in call.args if a.keyword == "dropout"), None)
        plain = [a for a in call.args if a.keyword is None and not a.star]
        given = plain[position].value if given is None and len(plain) > position else given
    if given is None:
        return Holding("yes", last_name(name)) if default else NOTHING
    return NOTHING if isinstance(given, m.Const) and not given.value else Holding("yes", last_name(name))


def is_module_name(name: str) -> bool:
    """Whether a class of this full name is a torch module."""
    if name in table.MODULE_BASES or name in table.MODE_LAYERS or name.startswith("torch.nn.modules."):
        return True
    if name.startswith("torch.nn."):
        return last_name(name)[:1].isupper() and "." not in name.removeprefix("torch.nn.")
    return last_name(name) in {"LightningModule", "PreTrainedModel", "BaseModule"} or zoo_of(name) is not None


def is_plain(name: str) -> bool:
    """Whether what has this name certainly holds nothing with a mode: torch's own other layers, builtins."""
    return name.startswith(("torch.", "abc.", "typing.", "collections.", "math.", "numpy.", "argparse.", "pathlib."))


def _is_zero(call: m.Call, position: int, keyword: str) -> bool:
    plain = [a for a in call.args if a.keyword is None]
    given = next((a.value for a in call.args if a.keyword == keyword), None)
    if given is None and len(plain) > position:
        given = plain[position].value
    return isinstance(given, m.Const) and given.value == 0 and given.value is not False


def _truth(expr: m.Expr) -> bool:
    return isinstance(expr, m.Const) and expr.value is True


def last_name(name: str) -> str:
    return name.rsplit(".", 1)[-1]
