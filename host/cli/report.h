/* Reports: the library's JSON as text for people. The facts first, one a line, then one aligned
 * table. */
#ifndef HOST_CLI_REPORT_H
#define HOST_CLI_REPORT_H

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

/* What the library gave for --json, `text`: as it is when json is set, else as facts (scalars of
 * the document and of the objects in it) and the table of its member `rows`. Returns an exit
 * status. */
int report_show(bool json, const char *text, const char *rows, const report_column *columns,
                size_t count);

#endif
