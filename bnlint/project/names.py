"""Who is who: what a name or a dotted expression means, across files, aliases and re-exports."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple, TypeAlias, Union

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.project.modules import Modules
from bnlint.project.scopes import Binding, Imported, Scope, scopes_of

_MAX_DEPTH = 30


class External(NamedTuple):
    """Something outside the project, by its full dotted name: ``tensorflow.layers.batch_normalization``."""

    name: str


class Definition(NamedTuple):
    """A function or class of the project; `scope` is its own scope (its parent is where it stands)."""

    node: m.Function | m.Class
    scope: Scope

    @property
    def path(self) -> str:
        """File in which it stands."""
        return self.scope.path

    @property
    def key(self) -> tuple[str, int]:
        """Identity across the project."""
        return self.scope.path, self.node.at


class Module(NamedTuple):
    """A file of the project, as a module."""

    file: m.FileFacts


class Value(NamedTuple):
    """A name bound once, to this expression of that scope."""

    expr: m.Expr
    scope: Scope


class Parameter(NamedTuple):
    """A parameter of the function or lambda whose scope is `scope`."""

    param: m.Param
    scope: Scope


Meaning: TypeAlias = Union[External, Definition, Module, Value, Parameter]


class Names:
    """Lookup of names over all files. Every answer may be None: unknown."""

    def __init__(self, files: Iterable[m.FileFacts], meanings: Mapping[str, str] | None = None) -> None:
        self.files = {file.path: file for file in files}
        self._meanings = {name: External(same) for name, same in (meanings or {}).items()}
        self._scopes: dict[str, dict[int | None, Scope]] = {}
        self._known: dict[tuple[Scope, str], Meaning | None] = {}
        self._members: dict[tuple[str, str], Meaning | None] = {}
        self._asked: dict[tuple[str, str], Meaning | None] = {}  # by the question that is being answered
        self._stars: dict[str, tuple[m.FileFacts, ...]] = {}

    @cached_property
    def modules(self) -> Modules:
        """Files by module name."""
        return Modules(self.files.values())

    def scopes(self, path: str) -> dict[int | None, Scope]:
        """Scopes of one file by the number of their definition, made at first use."""
        if path not in self._scopes:
            self._scopes[path] = scopes_of(self.files[path])
        return self._scopes[path]

    def scope(self, path: str, node: m.Function | m.Class | m.Lambda | None = None) -> Scope:
        """Scope of a definition, or of the module."""
        return self.scopes(path)[None if node is None else node.at]

    # --- meaning of expressions ---

    def resolve(self, expr: m.Expr, scope: Scope, depth: int = 0) -> Meaning | None:
        """What a name or dotted expression means, seen from `scope`; aliases are followed."""
        found = self._resolve(expr, scope, depth)
        return self._configured(found) if self._meanings and found is not None else found

    def _configured(self, meaning: Meaning) -> Meaning:
        """What the configuration takes a name for, whether the project or another package defines it."""
        if isinstance(meaning, External):
            return self._meanings.get(meaning.name, meaning)
        return self._own_meanings.get(meaning.key, meaning) if isinstance(meaning, Definition) else meaning

    @cached_property
    def _own_meanings(self) -> dict[tuple[str, int], External]:
        found = {}
        for name, same in self._meanings.items():
            module, _, last = name.rpartition(".")
            for file in self.modules.ending(module):
                meaning = self.member(file, last)
                if isinstance(meaning, Definition):
                    found[meaning.key] = same
        return found

    def _resolve(self, expr: m.Expr, scope: Scope, depth: int) -> Meaning | None:
        if depth > _MAX_DEPTH:
            return None
        if isinstance(expr, m.Name):
            return self._before(expr, self._name(expr.id, scope, depth + 1), scope)
        if isinstance(expr, m.Attr):
            base = self.resolve(expr.value, scope, depth + 1)
            return self._attribute(base, expr.name, depth + 1)
        return None

    def qualified(self, expr: m.Expr, scope: Scope) -> str | None:
        """Full dotted name of something outside the project, else None."""
        meaning = self.resolve(expr, scope)
        return meaning.name if isinstance(meaning, External) else None

    def _name(self, name: str, scope: Scope, depth: int) -> Meaning | None:
        key = (scope, name)
        if key not in self._known:
            hit = scope.lookup(name)
            self._known[key] = None  # a name that is defined by itself is unknown
            self._known[key] = (
                self._starred(name, scope.root(), depth) if hit is None else self._bound(hit[1], hit[0], depth)
            )
        return self._known[key]

    def _before(self, use: m.Name, found: Meaning | None, scope: Scope) -> Meaning | None:
        """What the name means up to here: a cell defines it again further down, ``model = model.Net()`` hides a module."""
        later = isinstance(found, Definition) and found.scope.parent is scope and found.node.at > use.at
        bindings = scope.names.get(use.id, ()) if later or found is None else ()
        earlier = [b for b in bindings if b.at < use.at and use not in walk(b.node if b.kind == "value" else ())]
        if earlier and all(b.kind == "import" for b in earlier):
            return self._first_known(earlier, scope, 0)
        return self._definition(earlier[-1], scope) if later and earlier else found

    def _bound(self, bindings: list[Binding], home: Scope, depth: int) -> Meaning | None:
        imports = [b for b in bindings if b.kind == "import"]
        if imports and len(imports) == sum(b.kind != "opaque" and not _is_none(b) for b in bindings):
            return self._first_known(imports, home, depth)
        if len(bindings) != 1:
            definitions = [b for b in bindings if b.kind in ("function", "class")]
            return self._definition(definitions[-1], home) if len(definitions) == len(bindings) else None
        binding = bindings[0]
        if binding.kind == "value":
            followed = self.resolve(binding.node, home, depth + 1)
            return followed if followed is not None else Value(binding.node, home)
        if binding.kind == "param":
            return Parameter(binding.node, home)
        if binding.kind in ("function", "class"):
            return self._definition(binding, home)
        return None

    def _first_known(self, imports: list[Binding], home: Scope, depth: int) -> Meaning | None:
        # try: from a import x / except ImportError: from b import x — the first that the project or a framework has.
        meanings = [self._imported(b.node, home.path, depth) for b in imports]
        known = [meaning for meaning in meanings if meaning is not None]
        return known[0] if known else None

    def _definition(self, binding: Binding, home: Scope) -> Definition:
        return Definition(binding.node, self.scope(home.path, binding.node))

    def _imported(self, what: Imported, importer: str, depth: int) -> Meaning | None:
        file = self.modules.find(importer, what.module, what.level)
        if what.name is None:
            return Module(file) if file is not None else External(what.module)
        if file is not None and file.path != importer:
            return self.member(file, what.name, depth + 1)
        submodule = self.modules.find(importer, f"{what.module}.{what.name}".strip("."), what.level)
        if submodule is not None:
            return Module(submodule)
        return External(f"{what.module}.{what.name}") if not what.level else None

    def member(self, file: m.FileFacts, name: str, depth: int = 0) -> Meaning | None:
        """Attribute `name` of a module of the project: its own, re-exported, or a submodule."""
        key = file.path, name
        if key in self._members:
            return self._members[key]
        if key in self._asked:
            return self._asked[key]
        first = not self._asked
        self._asked[key] = None
        try:
            found = self._asked[key] = self._member(file, name, depth)
            if first:  # an answer inside of a circle of imports may lack what only the whole question finds
                self._members.update((key, known) for key, known in self._asked.items() if known is not None)
                self._members[key] = found
        finally:
            if first:
                self._asked.clear()
        return found

    def _member(self, file: m.FileFacts, name: str, depth: int) -> Meaning | None:
        if depth > _MAX_DEPTH:
            return None
        root = self.scope(file.path)
        found = self._bound(root.names[name], root, depth + 1) if name in root.names else None
        if found is not None:
            return found
        starred = self._starred(name, root, depth + 1)
        if starred is not None:
            return starred
        submodule = self.modules.submodule(file, name)
        return Module(submodule) if submodule is not None else None

    def _starred(self, name: str, root: Scope, depth: int) -> Meaning | None:
        if depth > _MAX_DEPTH:
            return None
        for file in self._star_files(root.path):
            own = self.scope(file.path).names.get(name)
            found = self._bound(own, self.scope(file.path), depth + 1) if own is not None else None
            if found is not None:
                return found
            submodule = self.modules.submodule(file, name)
            if submodule is not None:
                return Module(submodule)
        return None

    def _star_files(self, path: str) -> tuple[m.FileFacts, ...]:
        """Files whose names a file has by ``import *``, directly or through others, in the order they are asked.

        Each file once: packages whose modules star each other have far more ways than files.
        """
        if path not in self._stars:
            order: dict[str, m.FileFacts] = {}
            stack = [path]
            while stack:
                here = stack.pop()
                found = [self.modules.find(here, star.module, star.level) for star in self.scope(here).stars]
                new = [file for file in found if file is not None and file.path != path and file.path not in order]
                order.update((file.path, file) for file in new)
                stack.extend(file.path for file in reversed(new))
            self._stars[path] = tuple(order.values())
        return self._stars[path]

    def _attribute(self, base: Meaning | None, name: str, depth: int) -> Meaning | None:
        if isinstance(base, External):
            return External(f"{base.name}.{name}")
        if isinstance(base, Module):
            return self.member(base.file, name, depth + 1)
        if isinstance(base, Definition) and isinstance(base.node, m.Class):
            return self.method(base, name)
        return None

    # --- classes ---

    def bases(self, cls: Definition) -> list[Meaning]:
        """Direct bases that are known, in order."""
        assert isinstance(cls.node, m.Class) and cls.scope.parent is not None
        found = [self.resolve(base.value, cls.scope.parent) for base in cls.node.bases if base.keyword is None]
        return [base for base in found if base is not None]

    def ancestors(self, cls: Definition) -> list[Definition | External]:
        """The class, then all its bases, depth first (close enough to Python's order for reading)."""
        found: list[Definition | External] = []
        stack: list[Meaning] = [cls]
        while stack and len(found) < 100:
            meaning = stack.pop(0)
            if isinstance(meaning, External) and meaning not in found:
                found.append(meaning)
            if isinstance(meaning, Definition) and isinstance(meaning.node, m.Class) and meaning not in found:
                found.append(meaning)
                stack[:0] = self.bases(meaning)
        return found

    def method(self, cls: Definition, name: str) -> Definition | None:
        """A method by name, of the class or the nearest project base that defines it."""
        for ancestor in self.ancestors(cls):
            if isinstance(ancestor, Definition) and name in ancestor.scope.names:
                binding = ancestor.scope.names[name][-1]
                return self._definition(binding, ancestor.scope) if binding.kind == "function" else None
        return None

    def attribute_values(self, cls: Definition, name: str) -> list[Value]:
        """All that ``self.name = …`` (in any method of the class or its project bases) or a class attribute assigns."""
        found: list[Value] = []
        for ancestor in self.ancestors(cls):
            if isinstance(ancestor, Definition):
                found.extend(Value(expr, scope) for expr, scope in ancestor.scope.attributes.get(name, ()))
                own = ancestor.scope.names.get(name, ())
                found.extend(Value(b.node, ancestor.scope) for b in own if b.kind == "value")
        return found

    def class_of(self, scope: Scope) -> Definition | None:
        """The class around `scope`, as a definition."""
        owner = scope.enclosing_class()
        return Definition(owner.node, owner) if owner is not None and isinstance(owner.node, m.Class) else None


def _is_none(binding: Binding) -> bool:
    return binding.kind == "value" and isinstance(binding.node, m.Const) and binding.node.value is None
