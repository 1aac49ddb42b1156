"""All rules, in the order of their codes. A new rule is one file and one line here (a test holds the two together)."""

from bnlint.rules._base import Rule
from bnlint.rules.flag.bn201_training_flag_missing import training_flag_missing
from bnlint.rules.flag.bn202_loop import training_flag_missing_in_loop
from bnlint.rules.flag.bn205_functional_dropout_always_on import functional_dropout_always_on
from bnlint.rules.flag.bn206_functional_batch_norm_flag import functional_batch_norm_flag
from bnlint.rules.flag.bn207_flag_inverted import flag_inverted
from bnlint.rules.mode.bn103_eval_without_call import eval_without_call
from bnlint.rules.mode.bn108_layer_built_in_forward import layer_built_in_forward
from bnlint.rules.mode.bn109_train_override_broken import train_override_broken
from bnlint.rules.not_analysed import not_analysed
from bnlint.rules.setup.bn401_momentum import momentum_convention
from bnlint.rules.setup.bn402_eps import eps_too_large
from bnlint.rules.setup.bn405_shallow_search import shallow_search
from bnlint.rules.stats.bn301_update_ops_missing import update_ops_missing
from bnlint.rules.stats.bn311_updates_discarded import updates_discarded

RULES: tuple[Rule, ...] = (
    eval_without_call,  # BN103
    layer_built_in_forward,  # BN108
    train_override_broken,  # BN109
    training_flag_missing,  # BN201
    training_flag_missing_in_loop,  # BN202
    functional_dropout_always_on,  # BN205
    functional_batch_norm_flag,  # BN206
    flag_inverted,  # BN207
    update_ops_missing,  # BN301
    updates_discarded,  # BN311
    momentum_convention,  # BN401
    eps_too_large,  # BN402
    shallow_search,  # BN405
    not_analysed,  # BN901
)
