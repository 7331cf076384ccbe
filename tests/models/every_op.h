/* A network with every operator, written to a container. */
#ifndef TESTS_MODELS_EVERY_OP_H
#define TESTS_MODELS_EVERY_OP_H

#include "tests/models/fixture.h"

typedef struct written {
    graph *g;
    char *card;
    char path[4096];
    unsigned char *bytes; /* of the file */
    size_t size;
} written;

void write_every_op(written *w);
void written_done(written *w);

#endif
