"""All rules, in the order of their codes. A new rule is one file and one line here (a test holds the two together)."""

from bnlint.rules._base import Rule
from bnlint.rules.flag.bn201_training_flag_missing import training_flag_missing
from bnlint.rules.flag.bn202_loop import training_flag_missing_in_loop
from bnlint.rules.flag.bn203_call_takes_no_training import call_takes_no_training
from bnlint.rules.flag.bn204_flag_not_forwarded import flag_not_forwarded
from bnlint.rules.flag.bn205_functional_dropout_always_on import functional_dropout_always_on
from bnlint.rules.flag.bn206_functional_batch_norm_flag import functional_batch_norm_flag
from bnlint.rules.flag.bn207_flag_inverted import flag_inverted
from bnlint.rules.flag.bn208_flag_in_wrong_slot import flag_in_wrong_slot
from bnlint.rules.mode.bn101_eval_missing import eval_missing
from bnlint.rules.mode.bn102_train_not_restored import train_not_restored
from bnlint.rules.mode.bn103_eval_without_call import eval_without_call
from bnlint.rules.mode.bn104_train_mode_in_evaluation import train_mode_in_evaluation
from bnlint.rules.mode.bn105_eval_in_one_branch import eval_in_one_branch
from bnlint.rules.mode.bn106_teacher_in_train_mode import teacher_in_train_mode
from bnlint.rules.mode.bn107_export_in_train_mode import export_in_train_mode
from bnlint.rules.mode.bn108_layer_built_in_forward import layer_built_in_forward
from bnlint.rules.mode.bn109_train_override_broken import train_override_broken
from bnlint.rules.mode.bn110_learning_phase import learning_phase_constant
from bnlint.rules.mode.bn111_train_mode_at_inference import train_mode_at_inference
from bnlint.rules.mode.bn112_mode_never_set import mode_never_set
from bnlint.rules.not_analysed import not_analysed
from bnlint.rules.setup.bn401_momentum import momentum_convention
from bnlint.rules.setup.bn402_eps import eps_too_large
from bnlint.rules.setup.bn403_redundant_bias import redundant_bias
from bnlint.rules.setup.bn404_batch_of_one import batch_of_one
from bnlint.rules.setup.bn405_shallow_search import shallow_search
from bnlint.rules.setup.bn406_dropout_before_batch_norm import dropout_before_batch_norm
from bnlint.rules.stats.bn301_update_ops_missing import update_ops_missing
from bnlint.rules.stats.bn302_update_ops_misplaced import update_ops_misplaced
from bnlint.rules.stats.bn303_keras_layer_in_graph import keras_layer_in_graph
from bnlint.rules.stats.bn304_copy_without_buffers import copy_without_buffers
from bnlint.rules.stats.bn305_swa_without_update_bn import swa_without_update_bn
from bnlint.rules.stats.bn306_freeze_undone import freeze_undone
from bnlint.rules.stats.bn307_frozen_by_requires_grad_only import frozen_by_requires_grad_only
from bnlint.rules.stats.bn308_statistics_not_saved import statistics_not_saved
from bnlint.rules.stats.bn309_handmade_without_averages import handmade_without_averages
from bnlint.rules.stats.bn310_cond_prebuilt_branches import cond_prebuilt_branches
from bnlint.rules.stats.bn311_updates_discarded import updates_discarded
from bnlint.rules.stats.bn312_updated_twice import updated_twice
from bnlint.rules.stats.bn313_trainable_toggled import trainable_toggled_after_compile
from bnlint.rules.stats.bn314_statistics_not_synchronised import statistics_not_synchronised
from bnlint.rules.unused_suppression import unused_suppression

RULES: tuple[Rule, ...] = (
    eval_missing,  # BN101
    train_not_restored,  # BN102
    eval_without_call,  # BN103
    train_mode_in_evaluation,  # BN104
    eval_in_one_branch,  # BN105
    teacher_in_train_mode,  # BN106
    export_in_train_mode,  # BN107
    layer_built_in_forward,  # BN108
    train_override_broken,  # BN109
    learning_phase_constant,  # BN110
    train_mode_at_inference,  # BN111
    mode_never_set,  # BN112
    training_flag_missing,  # BN201
    training_flag_missing_in_loop,  # BN202
    call_takes_no_training,  # BN203
    flag_not_forwarded,  # BN204
    functional_dropout_always_on,  # BN205
    functional_batch_norm_flag,  # BN206
    flag_inverted,  # BN207
    flag_in_wrong_slot,  # BN208
    update_ops_missing,  # BN301
    update_ops_misplaced,  # BN302
    keras_layer_in_graph,  # BN303
    copy_without_buffers,  # BN304
    swa_without_update_bn,  # BN305
    freeze_undone,  # BN306
    frozen_by_requires_grad_only,  # BN307
    statistics_not_saved,  # BN308
    handmade_without_averages,  # BN309
    cond_prebuilt_branches,  # BN310
    updates_discarded,  # BN311
    updated_twice,  # BN312
    trainable_toggled_after_compile,  # BN313
    statistics_not_synchronised,  # BN314
    momentum_convention,  # BN401
    eps_too_large,  # BN402
    redundant_bias,  # BN403
    batch_of_one,  # BN404
    shallow_search,  # BN405
    dropout_before_batch_norm,  # BN406
    not_analysed,  # BN901
    unused_suppression,  # BN902
)
