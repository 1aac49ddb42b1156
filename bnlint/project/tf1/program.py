"""One program: the files that can run together, what of them is live, its train ops, batch norms and update routes."""

import re
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks import tf1
from bnlint.project.calls import Site
from bnlint.project.scopes import Scope
from bnlint.project.tf1.argscope import ArgScope, block_of, words_below
from bnlint.project.tf1.flags import FALSE, NOTHING, TRUE, VARIES, Flag, Flags
from bnlint.project.tf1.live import key_of, live_units
from bnlint.project.tf1.norms import Given, Use
from bnlint.project.tf1.updates import Read, collection, routes
from bnlint.project.tf1.wrappers import inferred_elsewhere

if TYPE_CHECKING:
    from bnlint.project.tf1.analysis import Tf1


def outermost(scope: Scope) -> Scope:
    """The function or class of the module around `scope`; the module itself for its own code."""
    inner = scope
    while inner.parent is not None and inner.parent.node is not None:
        inner = inner.parent
    return inner


# Files that by their name hold data, pictures or settings, and no training step.
_HELPERS = re.compile(r"util|data|(?:^|_)io|config|setting|helper|visual|plot|log|image|param|metric", re.IGNORECASE)
# A file that by its name tests or predicts does so for others, even where it builds their train op as well.
_TESTS = re.compile(r"test|eval|valid|infer|predict|export|freez|serv|deploy|demo|sample|generat", re.IGNORECASE)


class Program:
    """Answers about one program; made by :class:`Tf1`, once per set of start files."""

    def __init__(self, tf1_view: "Tf1", roots: frozenset[str]) -> None:
        self.view = tf1_view
        self.roots = roots
        self.files = tf1_view.imports.closure(roots)
        self.scans = [tf1_view.scan(path) for path in sorted(self.files)]

    @cached_property
    def _live(self) -> frozenset[tuple[str, int | None]]:
        return live_units(self.scans, self.roots)

    def is_live(self, scope: Scope) -> bool:
        """Whether code of `scope` can run in this program."""
        return key_of(scope) in self._live

    def calls(self, *tails: str) -> list[Site]:
        """Live calls whose last word is one of `tails`."""
        return [site for scan in self.scans for site in scan.named(*tails) if self.is_live(site.scope)]

    @cached_property
    def incomplete(self) -> bool:
        """Whether a file of the program that may build a train op could not be read."""
        unread = [path for path in self.files if self.view.names.files[path].problem is not None]
        return any(_HELPERS.search(PurePosixPath(path).stem) is None for path in unread)

    @cached_property
    def train_ops(self) -> list[Site]:
        """Live calls that build a training step."""
        return [site for path in sorted(self.files) for site in self.view.train_ops(path) if self.is_live(site.scope)]

    @cached_property
    def norms(self) -> list[Use]:
        """Live uses of batch norms."""
        return [use for path in sorted(self.files) for use in self.view.uses(path) if self.is_live(use.scope)]

    @cached_property
    def reads(self) -> list[Read]:
        """Live reads of UPDATE_OPS, certain or not."""
        return [read for path in sorted(self.files) for read in self.view.reads(path) if self.is_live(read.site.scope)]

    @cached_property
    def updates_run(self) -> bool:
        """Whether anything in the program may run the updates of UPDATE_OPS."""
        return self.updates_run_elsewhere or any(read.fate.verdict == "used" or not read.certain for read in self.reads)

    def updates_run_for(self, step: Site) -> bool:
        """Whether anything may run the updates together with this train op.

        A function that builds a train op of its own wires that one: programs often hold several models side by side.
        """
        if self.updates_run_elsewhere:
            return True
        return any(
            not read.certain or (read.fate.verdict == "used" and self._covers(read.site.scope, step.scope))
            for read in self.reads
        )

    def _covers(self, reader: Scope, stepper: Scope) -> bool:
        home, other = outermost(reader), outermost(stepper)
        if home is other or not any(outermost(step.scope) is home for step in self.train_ops):
            return True
        names = {getattr(other.node, "name", ""), getattr(stepper.node, "name", "")}
        units = [unit for unit in self.view.scan(home.path).units if outermost(unit.scope) is home]
        return any(names & unit.used for unit in units)

    @cached_property
    def updates_run_elsewhere(self) -> bool:
        """Whether a call that reads the collection by itself, or a layer's own ``updates``, may run them."""
        if routes(iter(self.calls(*tf1.UPDATE_ROUTES))):
            return True
        return any(".updates" in unit.used for scan in self.scans for unit in scan.units if self.is_live(unit.scope))

    @cached_property
    def pretrained(self) -> bool:
        """Whether the program speaks of weights that were trained elsewhere."""
        return any(scan.pretrained for scan in self.scans) or bool(self.calls(*tf1.PRETRAINED_CALLS))

    @cached_property
    def collects(self) -> bool:
        """Whether the program runs UPDATE_OPS, so that some batch norm is meant to train, restored or not."""
        return any(read.certain and read.fate.verdict == "used" for read in self.reads)

    @cached_property
    def runs(self) -> bool:
        """Whether the program runs what it builds (a session, an estimator)."""
        return bool(self.calls(*tf1.RUNNERS))

    @cached_property
    def dangling_flag(self) -> bool:
        """Whether a live function that builds layers has an ``is_training`` it never looks at."""
        for scan in self.scans:
            for unit in scan.units:
                node = unit.scope.node
                if isinstance(node, m.Function) and self.is_live(unit.scope) and "arg_scope" in unit.used | {node.name}:
                    flags = [p.name for p in node.params if p.name in ("is_training", "training", "is_train")]
                    if any(
                        not any(isinstance(n, m.Name) and n.id == flag for n in walk((node.body,))) for flag in flags
                    ):
                        return True
        return False

    # --- scopes of arguments (slim) ---

    @cached_property
    def _arg_scopes(self) -> list[ArgScope]:
        found: list[ArgScope] = []
        for site in self.calls("arg_scope"):
            if self.view.scopes_a_norm(site):
                arguments = self.view.norm_finder.arguments(site.call, site.scope)
                block = block_of(site, self.view.parents(site.scope.path))
                words = words_below(block, self.scans) if block is not None else None
                found.append(ArgScope(site, block, arguments.by_name, words, arguments.hidden))
        return found

    def scoped(self, use: Use, keyword: str) -> tuple[list[Given], bool]:
        """What ``arg_scope`` can give to `use` for `keyword`, and whether there may be more that is not seen."""
        if use.norm.kind != "contrib":
            return [], False
        around = [one for one in self._arg_scopes if one.reaches(use.call, use.scope) or self._entered(use, one)]
        return [one.given[keyword] for one in around if keyword in one.given], any(one.hidden for one in around)

    def _entered(self, use: Use, one: ArgScope) -> bool:
        """Whether a scope is entered where a norm that another scope names is applied."""
        if use.how == "net":
            return True
        if use.how != "normalizer" or self.view.words.tail(use.call) != "arg_scope":
            return False
        block = block_of(Site(use.call, use.scope), self.view.parents(use.scope.path))
        return block is None or one.inside(block, words_below(block, self.scans))

    # --- flags and routes of a norm in this program ---

    def flag(self, use: Use) -> Flag:
        """The values the flag of `use` can take in this program."""
        if use.frozen:
            return FALSE
        if use.flag is not None:
            return self.view.flags.of(use.flag.expr, use.flag.scope)
        if use.hidden or use.how == "partial":
            return VARIES
        scoped, hidden = self.scoped(use, use.norm.flag)
        if not scoped and not hidden:
            return TRUE if use.norm.default else FALSE
        found = VARIES if hidden else NOTHING
        for given in scoped:
            found |= self.view.flags.of(given.expr, given.scope)
        return found

    def in_collection(self, use: Use) -> bool:
        """Whether the updates of `use` certainly go to UPDATE_OPS (and not in place, or to a collection of its own)."""
        if use.norm.updates is None:
            return True
        if use.updates is not None:
            return self._is_updates(use.updates)
        if use.hidden:
            return False
        given, hidden = self.scoped(use, use.norm.updates)
        return not hidden and all(self._is_updates(one) for one in given)

    def _is_updates(self, given: Given) -> bool:
        if isinstance(given.expr, m.Const) and given.expr.value is None:
            return False
        return collection(given.expr, given.scope, self.view.words) == "updates"

    @cached_property
    def waiting(self) -> list[tuple[Use, Flag]]:
        """Norms that can train and put their updates into UPDATE_OPS, with their flags."""
        found: list[tuple[Use, Flag]] = []
        for use in self.norms:
            flag = self.flag(use)
            if flag.can_train and self.in_collection(use):
                found.append((use, flag))
        return found

    @cached_property
    def infers(self) -> bool:
        """Whether any norm that waits for its updates can also be in inference mode, here or for another caller."""
        if not any(flag.can_infer for _, flag in self.waiting):
            return any(inferred_elsewhere(self.view, use) for use, _ in self.waiting)
        if not self._others:
            return True
        flags = Flags(self.view.graph, self.view.words, self._others)
        return any(
            flag.can_infer and (use.flag is None or flags.of(use.flag.expr, use.flag.scope).can_infer)
            for use, flag in self.waiting
        )

    @cached_property
    def _others(self) -> frozenset[str]:
        """Files of other programs that train a model of their own with the same helpers."""
        outside = self.view.speaking - self.files
        return frozenset(
            path for path in outside if _TESTS.search(PurePosixPath(path).stem) is None and self.view.train_ops(path)
        )
