/* The operators that are no convolutions, one family a file. */
#ifndef HOST_CPU_OPERATORS_H
#define HOST_CPU_OPERATORS_H

#include "host/cpu/program.h"

/* Rows first .. end of the outermost output dimension in an item. */
typedef struct row_range {
    uint32_t first, end;
} row_range;
row_range item_rows(uint32_t height, uint32_t rows_each, uint32_t item);

/* Each fills s->variant, items, run and state. */
status pool_make(program *p, const node *n, step *s, error *err); /* maximum, average, global */
status elementwise_make(program *p, const node *n, step *s, error *err);
status copy_make(program *p, const node *n, step *s, error *err);
status resize_make(program *p, const node *n, step *s, error *err);
status softmax_make(program *p, const node *n, step *s, error *err);

#endif
