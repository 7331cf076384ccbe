/* Small networks for the tests of the models room: layers as text with ' for ", weights by formula
 * or by value, all in memory. */
#ifndef TESTS_MODELS_FIXTURE_H
#define TESTS_MODELS_FIXTURE_H

#include "tests/support/test.h"

#include "engine/reference.h"
#include "models/model.h"

typedef struct fixture {
    card card; /* its input size and channels */
    char manifest[32768];
    unsigned char bytes[65536];
    size_t size;
    size_t entries;
    const char *shards; /* JSON array of paths; NULL: one shard "w.bin" with all bytes */
    size_t shard_size;  /* of all shards but the last, when `shards` is given */
    size_t fetched;
} fixture;

void fixture_init(fixture *f, uint32_t height, uint32_t width, uint32_t channels);
/* an entry of the manifest (with ' for ") and its bytes */
void fixture_raw(fixture *f, const char *entry, const void *bytes, size_t size);
/* shape as "3,3,1,2" */
void fixture_weight(fixture *f, const char *name, const char *extent, const float *values);
/* "l/kernel:3,3,1,2 l/bias:2": element i of weight k is ((7 i + 13 k) mod 11 - 5) / 8; of a
 * variance its absolute value + 0.5 */
void fixture_formula(fixture *f, const char *weights);
/* element i of an input: ((5 i) mod 17 - 8) / 4 */
float fixture_input(size_t i);

/* malloc'd copy of text with " for ' */
char *fixture_quoted(const char *text);
status fixture_import(fixture *f, const allocator *a, const char *topology, graph **out,
                      error *err);
/* must succeed */
graph *fixture_graph(fixture *f, const char *topology);
/* must fail with this status and a message that has `part` in it */
void fixture_refused(fixture *f, const char *topology, status expected, const char *part);
/* output `index` for the formula's input, malloc'd */
float *fixture_run(const graph *g, size_t index);
/* the first difference beyond `bound` fails the test, named by what */
void fixture_compare(const char *what, const float *found, const float *expected, size_t count,
                     float bound);
/* Sequential of one layer: {'class_name':CLASS,'config':{'name':'l',CONFIG}} */
char *fixture_layer(const char *class_name, const char *config);

/* a card for a network of one output (classify), with ' for ": %u height, %u width, %s output */
char *fixture_card(uint32_t height, uint32_t width, const char *output, size_t classes);

/* a file of this test run, in a folder of its own under TMPDIR; static buffer */
const char *fixture_path(const char *name);
void fixture_write(const char *path, const void *bytes, size_t size);

#endif
