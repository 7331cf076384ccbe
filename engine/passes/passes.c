/* The table of passes, in the order in which the planner applies them. */
#include "engine/passes.h"

/* Dead nodes read values that live ones could otherwise keep to themselves, so compaction comes
 * first as well as last. Identities go before the fusions that they would stand between; an
 * activation joins after the batch-norm before it has; a sum takes its activation along into the
 * convolution; siblings merge when their nodes have taken in all they can; views come last, for the
 * other passes leave shared storage alone. */
const pass passes[] = {
    {"compact", pass_compact},
    {"drop-identity", pass_drop_identity},
    {"fold-batch-norm", pass_fold_batch_norm},
    {"fuse-zero-pad", pass_fuse_zero_pad},
    {"fuse-activation", pass_fuse_activation},
    {"fuse-pool", pass_fuse_pool},
    {"fuse-add", pass_fuse_add},
    {"merge-siblings", pass_merge_siblings},
    {"place-heads", pass_place_heads},
    {"compact", pass_compact},
};
const size_t pass_count = sizeof passes / sizeof passes[0];

status passes_run(graph *g, error *err)
{
    for (size_t i = 0; i < pass_count; i++) {
        status s = passes[i].run(g, err);
        if (s == STATUS_OK) {
            s = graph_validate(g, err);
            s = s == STATUS_MODEL ? STATUS_INTERNAL : s;
        }
        if (s != STATUS_OK) {
            error_prefix(err, "pass %s: ", passes[i].name);
            if (err) {
                err->code = s;
            }
            return s;
        }
    }
    return STATUS_OK;
}
