"""The view of TensorFlow 1 that rules ask: programs, and per file the train ops, batch norms and reads of UPDATE_OPS."""

from functools import cached_property

from bnlint.facts import model as m
from bnlint.frameworks import tf1
from bnlint.project.calls import Calls, Site
from bnlint.project.names import Names
from bnlint.project.scopes import Scope
from bnlint.project.tf1.flags import Flags
from bnlint.project.tf1.imports import Imports
from bnlint.project.tf1.norms import Norms, Use
from bnlint.project.tf1.parents import Parents
from bnlint.project.tf1.program import Program
from bnlint.project.tf1.scan import Scan, scan, speaks_tensorflow
from bnlint.project.tf1.updates import Read, Wiring
from bnlint.project.tf1.words import Words
from bnlint.project.tf1.wrappers import Wrapper, wrappers

_STEPS = ("minimize", "apply_gradients")


class Tf1:
    """TensorFlow 1 programs of a project. Everything is made at first use and kept."""

    def __init__(self, names: Names, calls: Calls) -> None:
        self.names = names
        self.graph = calls
        self.words = Words(names)
        self.flags = Flags(calls, self.words)
        self.norm_finder = Norms(calls, self.words)
        self._scans: dict[str, Scan] = {}
        self._uses: dict[str, tuple[Use, ...]] = {}
        self._reads: dict[str, tuple[Read, ...]] = {}
        self._parents: dict[str, Parents] = {}
        self._programs: dict[frozenset[str], Program] = {}

    @cached_property
    def imports(self) -> Imports:
        """Who imports whom."""
        return Imports(self.names)

    @cached_property
    def speaking(self) -> frozenset[str]:
        """Files that import TensorFlow, or all names of a file that does."""
        own = {path for path in self.names.files if speaks_tensorflow(self.names, path)}
        if not own:
            return frozenset()
        starred = {
            path
            for path in self.names.files
            if any(self._finds(path, star.module, star.level) in own for star in self.names.scope(path).stars)
        }
        return frozenset(own | starred)

    def _finds(self, path: str, module: str, level: int) -> str | None:
        file = self.names.modules.find(path, module, level)
        return file.path if file is not None else None

    def scan(self, path: str) -> Scan:
        """The scan of one file."""
        if path not in self._scans:
            self._scans[path] = scan(self.names, path)
        return self._scans[path]

    # --- per file ---

    @cached_property
    def _has_layer_class(self) -> bool:
        words = ("BatchNormalization", "BatchNorm")
        return any(word in unit.used for path in self.speaking for unit in self.scan(path).units for word in words)

    def uses(self, path: str) -> tuple[Use, ...]:
        """Uses of batch norms in one file, in source order."""
        if path not in self._uses:
            self._uses[path] = tuple(sorted(self._find_uses(path), key=lambda use: use.call.at))
        return self._uses[path]

    def _find_uses(self, path: str) -> list[Use]:
        if path not in self.speaking and not self._has_layer_class:
            return []
        sites = self.scan(path).calls
        found = [use for group in sites.values() for site in group for use in self.norm_finder.uses(site)]
        return list({(use.key, use.how): use for use in found}.values())

    def train_ops(self, path: str) -> list[Site]:
        """Calls of one file that build a training step by an optimizer of graph TensorFlow."""
        if path not in self.speaking:
            return []
        scan_ = self.scan(path)
        return [site for site in scan_.named(*_STEPS) if self._is_step(site, scan_)]

    def _is_step(self, site: Site, scan_: Scan) -> bool:
        name = self.words.name(site.call.func, site.scope)
        if not isinstance(site.call.func, m.Attr) or (name is not None and not self.words.is_tensorflow(name)):
            return False
        owner = getattr(site.scope.node, "name", "")
        if owner in {*_STEPS, "_apply_dense", "compute_gradients"}:
            return False
        taped = any(_within(tape.scope, site.scope) for tape in scan_.named("GradientTape"))
        return not taped and bool(site.call.args)

    def reads(self, path: str) -> tuple[Read, ...]:
        """Reads of UPDATE_OPS in one file, with what becomes of them."""
        if path not in self._reads:
            sites = self.scan(path).named("get_collection", "get_collection_ref")
            wiring = Wiring(self.names.files[path], self.words) if sites else None
            found = [wiring.read(site) for site in sites] if wiring is not None else []
            self._reads[path] = tuple(read for read in found if read is not None)
        return self._reads[path]

    def scopes_a_norm(self, site: Site) -> bool:
        """Whether an ``arg_scope`` lists a batch norm, or something that is not known."""
        if not site.call.args:
            return False
        listed = site.call.args[0].value
        if not isinstance(listed, m.Seq):
            return len(site.call.args) > 1
        return any(self.norm_finder.function(item, site.scope) is not None for item in listed.items)

    @cached_property
    def wrappers(self) -> list[Wrapper]:
        """Functions with a parameter that becomes the flag of a norm."""
        return wrappers(self)

    def parents(self, path: str) -> Parents:
        """The record above each record of one file."""
        if path not in self._parents:
            self._parents[path] = Parents(self.names.files[path])
        return self._parents[path]

    # --- programs ---

    def program(self, path: str) -> Program:
        """The program that the file `path` is part of."""
        return self.program_from(self.imports.roots(path))

    def program_from(self, roots: frozenset[str]) -> Program:
        """The program that starts at these files."""
        if roots not in self._programs:
            self._programs[roots] = Program(self, roots)
        return self._programs[roots]

    @cached_property
    def updates_run_somewhere(self) -> bool:
        """Whether any file of the project reads UPDATE_OPS and uses it."""
        return any(
            read.fate.verdict == "used"
            for path in self.names.files
            if path in self.speaking
            for read in self.reads(path)
        )


def _within(inner: Scope, outer: Scope) -> bool:
    scope: Scope | None = inner
    while scope is not None:
        if scope is outer:
            return True
        scope = scope.parent
    return False


__all__ = ["Tf1", "tf1"]
