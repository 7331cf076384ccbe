/* Aligned tables and fact lines from JSON. */
#include "host/cli/report.h"

#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/open.h"
#include "host/client/text.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_SIZE = 320, MAX_COLUMNS = 16 };

/* 1528555400 as 1,528,555,400 */
static void grouped(json_int_t value, char *text, size_t size)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    size_t used = 0;
    for (int i = 0; i < length && used + 2 < size; i++) {
        if (i > 0 && digits[i - 1] != '-' && (length - i) % 3 == 0) {
            text[used++] = ',';
        }
        text[used++] = digits[i];
    }
    text[used] = 0;
}

/* One value as a cell: the items of a list with `separator` between them, - for nothing. */
static void cell_text(const json_t *value, const char *separator, char *text, size_t size)
{
    size_t used = 0;
    size_t index;
    json_t *item;
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        (void)snprintf(text, size, "%s",
                       *json_string_value(value) ? json_string_value(value) : "-");
        break;
    case JSON_INTEGER:
        grouped(json_integer_value(value), text, size);
        break;
    case JSON_REAL:
        /* four digits that mean something, and no exponent for what is merely large */
        (void)snprintf(text, size, fabs(json_real_value(value)) < 9999.5 ? "%.4g" : "%.0f",
                       json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        (void)snprintf(text, size, "%s", json_is_true(value) ? "yes" : "no");
        break;
    case JSON_ARRAY: {
        text[0] = 0;
        json_array_foreach(value, index, item)
        {
            char part[CELL_SIZE];
            cell_text(item, separator, part, sizeof part);
            int wrote =
                snprintf(text + used, size - used, "%s%s", index == 0 ? "" : separator, part);
            used += wrote > 0 ? (size_t)wrote : 0;
            if (used >= size) {
                break;
            }
        }
        if (index == 0) {
            (void)snprintf(text, size, "-");
        }
        break;
    }
    default:
        (void)snprintf(text, size, "-");
        break;
    }
}

static bool is_fact(const json_t *value)
{
    return !json_is_object(value) && !json_is_null(value) &&
           (!json_is_array(value) || (json_array_size(value) > 0 && json_array_size(value) <= 8 &&
                                      !json_is_object(json_array_get(value, 0)) &&
                                      !json_is_array(json_array_get(value, 0))));
}

/* A card's labels: [{"language": "en", "names": ["mask", ...]}, ...] */
static bool is_label_list(const json_t *value)
{
    const json_t *first = json_array_get(value, 0);
    return json_is_string(json_object_get(first, "language")) &&
           json_is_array(json_object_get(first, "names"));
}

/* As walk_facts: a line a language, its names whole however many there are. */
static size_t walk_labels(const json_t *labels, const char *prefix, size_t width)
{
    size_t index, place, widest = 0;
    json_t *entry, *label;
    char name[128];
    json_array_foreach(labels, index, entry)
    {
        const char *language = json_string_value(json_object_get(entry, "language"));
        size_t length =
            (size_t)snprintf(name, sizeof name, "%s.%s", prefix, language ? language : "");
        widest = length > widest ? length : widest;
        if (width == 0) {
            continue;
        }
        (void)printf("%-*s  ", (int)width, name);
        json_array_foreach(json_object_get(entry, "names"), place, label)
        {
            const char *text = json_string_value(label);
            (void)printf("%s%s", place == 0 ? "" : ", ", text ? text : "-");
        }
        (void)fputc('\n', stdout);
    }
    return widest;
}

/* Visits scalars in the document's order, those of its objects with their name in front: the widest
 * name when `width` is 0, else prints. */
static size_t walk_facts(const json_t *object, const char *prefix, size_t width)
{
    const char *key;
    json_t *value;
    char name[128], text[CELL_SIZE];
    size_t widest = 0;
    json_object_foreach((json_t *)object, key, value)
    {
        size_t length =
            (size_t)snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (is_fact(value)) {
            if (width > 0) {
                cell_text(value, ", ", text, sizeof text);
                (void)printf("%-*s  %s\n", (int)width, name, text);
            }
        } else if (json_is_object(value)) {
            length = walk_facts(value, name, width);
        } else if (is_label_list(value)) {
            length = walk_labels(value, name, width);
        } else {
            continue;
        }
        widest = length > widest ? length : widest;
    }
    return widest;
}

static void print_cell(const char *text, size_t width, bool right, bool last)
{
    size_t columns = utf8_columns(text);
    int padding = columns < width ? (int)(width - columns) : 0;
    if (right) {
        (void)printf("%*s%s", padding, "", text);
    } else {
        (void)printf("%s%*s", text, last ? 0 : padding, "");
    }
    (void)fputs(last ? "\n" : "  ", stdout);
}

void report_table(const json_t *rows, const report_column *columns, size_t count)
{
    size_t widths[MAX_COLUMNS] = {0}, index;
    char text[CELL_SIZE];
    json_t *row;
    assert(count <= MAX_COLUMNS);
    for (size_t c = 0; c < count; c++) {
        widths[c] = strlen(columns[c].heading);
        json_array_foreach(rows, index, row)
        {
            cell_text(json_object_get(row, columns[c].member), "x", text, sizeof text);
            size_t width = utf8_columns(text);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (size_t c = 0; c < count; c++) {
        print_cell(columns[c].heading, widths[c], columns[c].right, c + 1 == count);
    }
    json_array_foreach(rows, index, row)
    {
        for (size_t c = 0; c < count; c++) {
            cell_text(json_object_get(row, columns[c].member), "x", text, sizeof text);
            print_cell(text, widths[c], columns[c].right, c + 1 == count);
        }
    }
}

int report_end(void)
{
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        console_error("standard output: %s", errno ? strerror(errno) : "write failed");
        return EXIT_OUTPUT;
    }
    return EXIT_GOOD;
}

int report_show(const settings *s, const char *text, const report_layout *layout)
{
    if (s->json) {
        (void)printf("%s\n", text);
        return report_end();
    }
    json_error_t err;
    json_t *root = json_loads(text, JSON_ALLOW_NUL, &err);
    if (!root) {
        console_error("the report could not be read: %s", err.text);
        return EXIT_DEVICE;
    }
    (void)walk_facts(root, "", walk_facts(root, "", 0));
    (void)fputc('\n', stdout);
    report_table(json_object_get(root, layout->rows), layout->columns, layout->count);
    json_decref(root);
    return report_end();
}

int report_give(const settings *s, vkdet_context *context, vkdet_status made, char *text,
                const report_layout *layout)
{
    int status = exit_of_run(made);
    if (made != VKDET_OK) {
        console_error("%s", vkdet_error_message());
    }
    if (text) {
        int shown = report_show(s, text, layout);
        status = shown == EXIT_GOOD ? status : shown;
        vkdet_text_free(context, text);
    }
    return status;
}
