/* The parts of the report. Everything is inside the one file: no script, no font, no picture, no
 * address. Light or dark as the reader's system is. */
#ifndef HOST_CLI_BENCH_HTML_H
#define HOST_CLI_BENCH_HTML_H

#include <jansson.h>
#include <stdio.h>

/* text with & < > and quotes as entities */
void html_text(FILE *out, const char *text);
/* four digits that mean something, however small; a dash for what is not known */
void html_number(FILE *out, double value);
/* the class (k0 .. k7) that stands for a kernel family's colour: the order of first use in steps */
unsigned html_family(const json_t *steps, const char *kernel);

/* --- bench_svg.c: drawings of one entry of the document's layers --- */
void svg_roofline(FILE *out, const json_t *entry);
void svg_steps(FILE *out, const json_t *entry);
/* throughput over the batch, for every device, precision and stage */
void svg_batches(FILE *out, const json_t *results);

#endif
