/* Reports: the library's JSON as text for people. The facts first, one a line, then one aligned
 * table. */
#ifndef HOST_CLI_REPORT_H
#define HOST_CLI_REPORT_H

#include "host/cli/options.h"

#include "vkdet.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct report_column {
    const char *heading, *member; /* of each row's object */
    bool right;                   /* numbers */
} report_column;

/* rows: an array of objects */
void report_table(const json_t *rows, const report_column *columns, size_t count);

/* Sends on what was printed, so that a failure is told before anything that would follow. Returns
 * an exit status. */
int report_end(void);

/* The columns of the table that a report's member `rows` becomes. */
typedef struct report_layout {
    const char *rows;
    const report_column *columns;
    size_t count;
} report_layout;

/* The text of a JSON document: with --json as it is, else as facts (scalars of the document and of
 * the objects in it) and the table. Returns an exit status. */
int report_show(const settings *s, const char *text, const report_layout *layout);

/* What the library made of a model: tells the reason of a status that is not good, shows `text`
 * (NULL: there is none) and frees it. Returns an exit status. */
int report_give(const settings *s, vkdet_context *context, vkdet_status made, char *text,
                const report_layout *layout);

#endif
