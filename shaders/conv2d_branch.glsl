/* The branch that a workgroup computes: push.branch[] says where each one's groups of columns end.
 * Included after the push constants. */
uint choose_branch(uint column_group, out uint own_group)
{
    uint branch = 0, first_group = 0;
    while (branch < CONV2D_BRANCHES - 1 && column_group >= push.branch[branch].group_end) {
        first_group = push.branch[branch].group_end;
        ++branch;
    }
    own_group = column_group - first_group;
    return branch;
}
