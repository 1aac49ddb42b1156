"""What calls do to objects: mode switches, construction, wrapping, copying, loading, and the effect of project code."""

from zlib import crc32

from bnlint.facts import model as m
from bnlint.frameworks import torch as table
from bnlint.project.names import Definition, External
from bnlint.project.torch.outside import zoo_of
from bnlint.project.torch.settling import spoken
from bnlint.project.torch.states import ENTRY, NOBODY, UNKNOWN, Atom, Loc, Locs, capped, doubt, join
from bnlint.project.torch.switches import Switches, is_constant
from bnlint.project.torch.words import names_in, parts


class Effects(Switches):
    """Values whose calls have effects."""

    # --- dispatch ---

    def call(self, node: m.Call) -> Locs:
        """Apply a call: project code by its summary, torch by the tables, anything else with caution."""
        node = self._spelled_out(node)
        method = node.func if isinstance(node.func, m.Attr) else None
        meaning = self.machine.names.resolve(node.func, self.scope)
        if isinstance(meaning, Definition):
            return self._own(node, meaning, None)
        if isinstance(meaning, External):
            return self._external(node, meaning.name)
        if method is not None and (choices := self.machine.registries.choices(method, self.scope)):
            return self._either(node, choices)
        if method is not None:
            return self._loaded_class(node, method) or self._method(node, method)
        own_class = self._class_parameter(node.func)
        if own_class is not None:
            return self._own(node, own_class, None)
        choices = self.machine.registries.choices(node.func, self.scope)
        if choices:
            return self._either(node, choices)
        args = self._arguments(node)
        if isinstance(node.func, m.Name) and node.func.id in table.BUILTINS:
            return self._builtin(node, node.func.id, args)
        called = self.value(node.func)
        if called:
            return self._use(node, called)
        self._caution(node, node.func, args)
        return self.made(node, None, "unknown")

    def _spelled_out(self, node: m.Call) -> m.Call:
        """``getattr(net, "eval")()`` is ``net.eval()``; an attribute that nobody knows may be one of the two."""
        func = node.func
        if not isinstance(func, m.Call) or len(func.args) != 2:
            return node
        if not isinstance(func.func, m.Name) or func.func.id != "getattr":
            return node
        owner, name = func.args[0].value, spoken(func.args[1].value, self.known)
        if name is not None and isinstance(name.value, str):
            return node._replace(func=m.Attr(func.at, owner, name.value))
        self._doubt(self.value(owner), node.at)
        return node

    def _loaded_class(self, node: m.Call, func: m.Attr) -> Locs:
        """``Net.load_from_checkpoint(path)`` gives training mode, ``Net.from_pretrained(name)`` of transformers eval mode."""
        if func.name not in {"load_from_checkpoint", "from_pretrained"}:
            return NOBODY
        cls = self.machine.names.resolve(func.value, self.scope)
        if (
            not isinstance(cls, Definition)
            or not isinstance(cls.node, m.Class)
            or not self.machine.layers.is_module(cls)
        ):
            return NOBODY
        self._arguments(node)
        made = self.made(node, cls, "train" if func.name == "load_from_checkpoint" else "unknown")
        self.state.mark(made, "loaded", self.path, node.at)
        return made

    def _class_parameter(self, func: m.Expr) -> Definition | None:
        """``cls(…)`` in a class method makes an object of the class."""
        node = self.scope.node
        if not (
            isinstance(func, m.Name) and isinstance(node, m.Function) and node.params and node.params[0].name == func.id
        ):
            return None
        decorated = any(isinstance(d, m.Name) and d.id == "classmethod" for d in node.decorators)
        cls: Definition | None = self.machine.names.class_of(self.scope)
        return cls if decorated else None

    def _either(self, node: m.Call, choices: list[Definition | External]) -> Locs:
        before, ends, found = self.state, [], NOBODY
        for number, choice in enumerate(choices):
            self.state = before.copy()
            self.variant = f"{number}" if number else ""
            found |= (
                self._own(node, choice, None) if isinstance(choice, Definition) else self._external(node, choice.name)
            )
            ends.append(self.state)
        self.variant = ""
        self.state = join(ends) or before
        return capped(found)

    # --- methods ---

    def _method(self, node: m.Call, func: m.Attr) -> Locs:
        if isinstance(func.value, m.Call) and isinstance(func.value.func, m.Name) and func.value.func.id == "super":
            return self._super(node)
        owners = self.value(func.value)
        target = self.machine.method(owners, func.name, self.scope)
        switches = func.name in {"train", "eval"} and self.machine.may_be_module(owners, self.scope)
        if isinstance(target, Definition) and not switches:
            return self._own(node, target, owners)
        args = self._arguments(node)
        if func.name == "add_graph":
            self.forget_baked(node)
        if func.name in {"eval", "train", "requires_grad_"} and owners:
            return self._switch(node, func, owners)
        if func.name == "apply" and node.args:
            return self._apply_function(node, owners)
        if func.name in table.SELF_METHODS:
            return owners
        return self._other_method(node, func, owners, args)

    def _super(self, node: m.Call) -> Locs:
        assert isinstance(node.func, m.Attr)
        target = self.machine.calls.target(node, self.scope)
        me = self.state.env.get("self", NOBODY)
        if isinstance(target, Definition):
            return self._own(node, target, me)
        self._arguments(node)
        if node.func.name == "eval" or (node.func.name == "train" and not node.args):
            self.state.set_mode(me, self._atom(node.func.name, node.at))
        return NOBODY

    def _other_method(self, node: m.Call, func: m.Attr, owners: Locs, args: list[Locs]) -> Locs:
        name = func.name
        if name in table.LOAD_METHODS:
            self.state.mark(owners, "loaded", self.path, node.at)
            return owners
        if name in table.PART_METHODS:
            return self._parts(owners)
        if name in {"values", "items", "copy"}:
            return owners if name != "items" else self._pairs(node, owners)
        if name in {"append", "add_module", "insert", "extend"} and args:
            for owner in owners:
                self.state.hold(owner, "[]", capped(self.state.held(owner).get("[]", NOBODY) | args[-1]))
            return NOBODY
        if name == "prepare" and len(args) != 1:
            return self._tuple(node, args)
        if name in {"prepare", "unwrap_model"} and args:
            return args[0]
        if name in table.COMPUTING_METHODS:
            return self._use(node, owners)
        if name == "update_parameters":
            self.state.mark(owners, "averaged", self.path, node.at)
        if self.machine.is_part(owners, name, self.scope):
            return self._use(node, self.state.field(owners, name))
        if node.args and name not in table.MODULE_METHODS and _may_be_network(func.value, owners):
            self.record("method", node, owners)
        self._caution(node, node.func, args)
        if parts(name) & table.MODE_WORDS and name not in {"state_dict", "parameters"} and not node.args:
            self._frozen_by(node, owners) if "freeze" in parts(name) else self._doubt(owners, node.at)
        return self.made(node, None, "unknown")

    def _frozen_by(self, node: m.Call, owners: Locs) -> None:
        """``net.freeze_bn()`` of an unknown class may leave training mode, and puts nothing into it."""
        for loc in owners:
            mode = self.state.mode(loc)
            left = frozenset(atom for atom in mode if atom.word != "train")
            self.state.set_mode(frozenset({loc}), mode if left == mode else left | doubt(self.path, node.at))

    def _pairs(self, node: m.Call, owners: Locs) -> Locs:
        pair = Loc("new", "", self.path, node.at)
        self.state.hold(pair, "[1]", self.state.field(owners, "[]"))
        holder = Loc("new", "items", self.path, node.at)
        self.state.hold(holder, "[]", frozenset({pair}))
        return frozenset({holder})

    def _parts(self, owners: Locs) -> Locs:
        part = frozenset(Loc("field", "<modules>", parent=owner) for owner in owners)
        holder = Loc("new", "modules", "", crc32(repr(sorted(owners)).encode()))  # the same in every process
        self.state.hold(holder, "[]", part)
        return frozenset({holder})

    def _tuple(self, node: m.Call, args: list[Locs]) -> Locs:
        loc = Loc("new", "", self.path, node.at)
        for index, locs in enumerate(args):
            self.state.hold(loc, f"[{index}]", locs)
        return frozenset({loc})

    # --- code outside of the project ---

    def _external(self, node: m.Call, name: str) -> Locs:
        args = self._arguments(node)
        if name in table.WRAPPERS and args:
            return args[0]
        if name in table.COPIES and args:
            return self._copy(node, args[0])
        if name in table.AVERAGED and args:
            return self._average(node, args[0])
        if name in table.BAKING and args:
            return self.record("bake", node, args[table.BAKING[name]], words=name)
        if name.rsplit(".", 1)[-1] in table.UPDATE_BN:
            for locs in args:
                self.state.mark(locs, "norms updated", self.path, node.at)
            return NOBODY
        if name.endswith("amp.initialize"):
            return self._tuple(node, args) if len(args) > 1 else args[0]
        zoo = zoo_of(name)
        if zoo is not None:
            made = self.made(node, External(name), zoo.mode)
            if _asks_for_weights(node) or zoo.mode == "eval":
                self.state.mark(made, "loaded", self.path, node.at)
            return made
        return self._other_external(node, name, args)

    def _other_external(self, node: m.Call, name: str, args: list[Locs]) -> Locs:
        if name.startswith("torch.nn."):
            made = self.made(node, External(name), "train")
            for loc in made:
                held = [part for locs in args for part in locs]
                if held and name.rsplit(".", 1)[-1] in {"Sequential", "ModuleList", "ModuleDict"}:
                    self.state.hold(loc, "[]", capped(held))
            return made
        if not name.startswith(table.HARMLESS):
            self._caution(node, node.func, args)
        if name.startswith("accelerate.") and name.endswith(".prepare"):
            return self._tuple(node, args) if len(args) > 1 else args[0]
        return self.made(node, External(name), "unknown")

    def _copy(self, node: m.Call, source: Locs) -> Locs:
        loc = Loc("new", "", self.path, node.at)
        self.machine.remember_copy(loc, source)
        modes = {self.state.mode(s) for s in source}
        self.state.modes[loc] = modes.pop() if len(modes) == 1 else UNKNOWN
        if self.state.modes[loc] == ENTRY:
            self.state.modes[loc] = UNKNOWN
        return frozenset({loc})

    def _average(self, node: m.Call, source: Locs) -> Locs:
        loc = Loc("new", "", self.path, node.at)
        self.machine.remember_copy(loc, source)
        self.state.modes[loc] = frozenset({Atom("train", self.path, node.at, "made", node.at)})
        return frozenset({loc})

    def _builtin(self, node: m.Call, name: str, args: list[Locs]) -> Locs:
        if name == "getattr" and len(node.args) >= 2:
            key = node.args[1].value
            word = key.value if isinstance(key, m.Const) and isinstance(key.value, str) else "*"
            return self.state.field(args[0], word)
        if name in {"list", "tuple", "reversed", "sorted", "iter", "set", "tqdm"} and args:
            return args[0]
        if name == "enumerate" and args:
            return self._pairs(node, args[0])
        if name == "zip":
            pair = self._tuple(node, [self.state.field(locs, "[]") for locs in args])
            holder = Loc("new", "items", self.path, node.at)
            self.state.hold(holder, "[]", pair)
            return frozenset({holder})
        return NOBODY

    def _caution(self, node: m.Call, func: m.Expr, args: list[Locs]) -> None:
        """Something unknown is given objects; if its name speaks of modes, their mode is unknown afterwards."""
        words = names_in(func)
        if words & {"load", "resume", "restore"}:
            for locs in args:
                self.state.mark(locs, "loaded", self.path, node.at)
        for locs in args:
            if words & table.MODE_WORDS or not words:
                self._doubt(frozenset(loc for loc in locs if self.state.mode(loc) != UNKNOWN), node.at)


def _may_be_network(expr: m.Expr, owners: Locs) -> bool:
    """Whether what a method is called on is a parameter with a network's name."""
    last = expr.name if isinstance(expr, m.Attr) else expr.id if isinstance(expr, m.Name) else ""
    return bool(parts(last) & table.NETWORKS) and all(owner.root().kind == "param" for owner in owners)


def _asks_for_weights(node: m.Call) -> bool:
    for arg in node.args:
        if arg.keyword in {"pretrained", "weights", "encoder_weights", "checkpoint_path"} and not (
            isinstance(arg.value, m.Const) and arg.value.value in {False, None}
        ):
            return True
    return bool(node.args) and is_constant(node.args[0].value, value=True)
