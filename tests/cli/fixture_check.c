/* Checks of what `vkdet detect` wrote, member by member, and a summary for the shell to compare. */
#include "tests/cli/fixture.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int complain(const char *path, size_t line, const char *format, ...)
{
    va_list arguments;
    (void)fprintf(stderr, "%s:%zu: ", path, line);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return 1;
}

/* the members of object are exactly these, in this order */
static bool has_members(const json_t *object, const char *const *names, size_t count)
{
    const char *key;
    json_t *value;
    size_t index = 0;
    if (!json_is_object(object) || json_object_size(object) != count) {
        return false;
    }
    json_object_foreach((json_t *)object, key, value)
    {
        if (index == count || strcmp(key, names[index++]) != 0) {
            return false;
        }
    }
    return true;
}

/* floats that were written with enough digits read back as floats */
static bool is_float(const json_t *number)
{
    double value = json_number_value(number);
    char shortest[32];
    (void)snprintf(shortest, sizeof shortest, "%.9g", (double)(float)value);
    return json_is_number(number) && (float)value == strtof(shortest, NULL) && isfinite(value);
}

static bool check_detection(const json_t *d, double width, double height, double *score)
{
    static const char *const names[] = {"class_id", "label", "score", "box"};
    const json_t *box = json_object_get(d, "box");
    if (!has_members(d, names, 4) || !json_is_integer(json_object_get(d, "class_id")) ||
        !json_is_string(json_object_get(d, "label")) || !is_float(json_object_get(d, "score")) ||
        json_array_size(box) != 4) {
        return false;
    }
    double corner[4];
    for (size_t i = 0; i < 4; i++) {
        if (!is_float(json_array_get(box, i))) {
            return false;
        }
        corner[i] = json_number_value(json_array_get(box, i));
    }
    double previous = *score;
    *score = json_number_value(json_object_get(d, "score"));
    return *score <= previous && corner[0] >= 0 && corner[1] >= 0 && corner[0] <= corner[2] &&
           corner[1] <= corner[3] && corner[2] <= width && corner[3] <= height;
}

static int check_result(const char *path, size_t line, const json_t *root)
{
    static const char *const names[] = {"schema", "image",       "index",     "width",
                                        "height", "orientation", "detections"};
    if (!has_members(root, names, 7)) {
        return complain(path, line, "members of a result are wrong");
    }
    double width = json_number_value(json_object_get(root, "width"));
    double height = json_number_value(json_object_get(root, "height"));
    json_int_t orientation = json_integer_value(json_object_get(root, "orientation"));
    if (width < 1 || height < 1 || orientation < 1 || orientation > 8) {
        return complain(path, line, "width, height or orientation is wrong");
    }
    (void)printf(" %.0fx%.0f", width, height);
    const json_t *detections = json_object_get(root, "detections"), *d;
    size_t index;
    double score = 1;
    if (!json_is_array(detections)) {
        return complain(path, line, "detections is no array");
    }
    json_array_foreach(detections, index, d)
    {
        if (!check_detection(d, width, height, &score)) {
            return complain(path, line, "detection %zu is wrong", index);
        }
        const json_t *box = json_object_get(d, "box");
        (void)printf(" %s:%.2f", json_string_value(json_object_get(d, "label")), score);
        for (size_t i = 0; i < 4; i++) {
            (void)printf("%c%g", i ? ',' : '@', json_number_value(json_array_get(box, i)));
        }
    }
    return 0;
}

static int check_line(const char *path, size_t line, const json_t *root)
{
    static const char *const names[] = {"schema", "image", "index", "error"};
    static const char *const error_names[] = {"status", "message"};
    const char *image = json_string_value(json_object_get(root, "image"));
    const json_t *error = json_object_get(root, "error");
    if (json_integer_value(json_object_get(root, "schema")) != 1 || !image) {
        return complain(path, line, "schema or image is wrong");
    }
    if (json_integer_value(json_object_get(root, "index")) != (json_int_t)line - 1) {
        return complain(path, line, "index is not %zu", line - 1);
    }
    (void)printf("%s", image);
    if (!error) {
        return check_result(path, line, root);
    }
    const char *message = json_string_value(json_object_get(error, "message"));
    if (!has_members(root, names, 4) || !has_members(error, error_names, 2) || !message ||
        *message == 0) {
        return complain(path, line, "members of a failure are wrong");
    }
    (void)printf(" error:%s", json_string_value(json_object_get(error, "status")));
    return 0;
}

int fixture_check_ndjson(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    char *text = NULL;
    size_t capacity = 0, line = 0;
    int status = 0;
    ssize_t length;
    while (status == 0 && (length = getline(&text, &capacity, file)) > 0) {
        json_error_t err;
        line++;
        json_t *root = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &err);
        if (!root) {
            status = complain(path, line, "no JSON: %s", err.text);
        } else if (text[length - 1] != '\n') {
            status = complain(path, line, "the line has no end");
        } else {
            status = check_line(path, line, root);
            (void)putchar('\n');
        }
        json_decref(root);
    }
    free(text);
    (void)fclose(file);
    return status;
}

static int check_annotations(const char *path, const json_t *root)
{
    const json_t *annotations = json_object_get(root, "annotations"), *a;
    size_t images = json_array_size(json_object_get(root, "images")), index;
    json_array_foreach(annotations, index, a)
    {
        json_int_t image = json_integer_value(json_object_get(a, "image_id"));
        const json_t *box = json_object_get(a, "bbox");
        double area =
            json_number_value(json_array_get(box, 2)) * json_number_value(json_array_get(box, 3));
        if (json_integer_value(json_object_get(a, "id")) != (json_int_t)index + 1 || image < 1 ||
            (size_t)image > images || json_array_size(box) != 4 ||
            fabs(area - json_number_value(json_object_get(a, "area"))) > 1e-3 * area) {
            return complain(path, 1, "annotation %zu is wrong", index);
        }
        (void)printf(
            "%lld %lld %g,%g,%g,%g\n", (long long)image,
            (long long)json_integer_value(json_object_get(a, "category_id")),
            json_number_value(json_array_get(box, 0)), json_number_value(json_array_get(box, 1)),
            json_number_value(json_array_get(box, 2)), json_number_value(json_array_get(box, 3)));
    }
    return 0;
}

int fixture_check_coco(const char *path)
{
    json_error_t err;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &err);
    if (!root) {
        return complain(path, (size_t)err.line, "no JSON: %s", err.text);
    }
    const json_t *images = json_object_get(root, "images"), *item;
    size_t index;
    int status = 0;
    json_array_foreach(images, index, item)
    {
        if (json_integer_value(json_object_get(item, "id")) != (json_int_t)index + 1) {
            status = complain(path, 1, "image %zu has the wrong id", index);
        }
        (void)printf("%s%s\n", json_string_value(json_object_get(item, "file_name")),
                     json_object_get(item, "error") ? " error" : "");
    }
    json_array_foreach(json_object_get(root, "categories"), index, item)
    {
        (void)printf("category %lld %s\n",
                     (long long)json_integer_value(json_object_get(item, "id")),
                     json_string_value(json_object_get(item, "name")));
    }
    if (status == 0) {
        status = check_annotations(path, root);
    }
    json_decref(root);
    return status;
}
