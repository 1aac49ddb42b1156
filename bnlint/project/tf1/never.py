"""Programs that train a network and leave its flag to a default of False, while another program gives that flag."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.project.calls import Passed
from bnlint.project.tf1.analysis import Tf1
from bnlint.project.tf1.missing import NEVER_TRAINS, Missing, kept_off, named
from bnlint.project.tf1.program import Program
from bnlint.project.tf1.wrappers import Wrapper


def never_on(view: Tf1, path: str) -> Iterator[Missing]:
    """Calls in a file that trains: nobody in its program switches the network on, and others say that there is a switch."""
    if path not in view.speaking or not view.train_ops(path):
        return
    program = view.program(path)
    if not program.train_ops or (program.pretrained and not program.collects):
        return  # nothing trains, or the norms are frozen
    seen: set[int] = set()
    for wrapper in view.wrappers:
        given = view.graph.passed(wrapper.function, wrapper.name)
        inside = [one for one in given if one.site.scope.path in program.files]
        if not inside or not all(_left_off(one) for one in inside) or not _known_elsewhere(given, program):
            continue
        for one in inside:
            site = one.site
            mine = site.scope.path == path and site.call.at not in seen and program.is_live(site.scope)
            if not mine or named(site.scope, NEVER_TRAINS) or not _is_live(wrapper, program):
                continue
            if wrapper.use.flag is None or kept_off(view, wrapper.use) is None:  # else it is reported where the norm is
                seen.add(site.call.at)
                yield Missing(site, wrapper.use, default=False, evidence="program", sure=True, other=None)


def _left_off(one: Passed) -> bool:
    value = one.value.expr if one.value is not None else None
    return one.known and not one.explicit and isinstance(value, m.Const) and value.value in (False, None)


def _known_elsewhere(given: list[Passed], program: Program) -> bool:
    """Whether a file outside the program gives the flag."""
    return any(one.explicit and one.known and one.site.scope.path not in program.files for one in given)


def _is_live(wrapper: Wrapper, program: Program) -> bool:
    return program.is_live(wrapper.use.scope) and program.is_live(wrapper.function.scope)
