/* Checked before timed: what a case computes against the reference, on the pictures that are timed.
 * A case that fails has its scores withheld, with the reason. */
#ifndef HOST_CLI_BENCH_CHECK_H
#define HOST_CLI_BENCH_CHECK_H

#include "host/cli/bench.h"
#include "host/cli/bench_agree.h"

/* The reference's detections of every picture, once a run. An exit status. */
int bench_truth_make(bench *b);
void bench_truth_free(struct bench_truth *t);

/* Fills in c->withheld and adds to the document's checks:
 * - every step within its contract on the first picture (vkdet_verify), once a device and
 * precision;
 * - with a batch above 1, raw outputs of every picture of a full batch equal to those of batch 1,
 *   bit for bit;
 * - the detections of every picture, from the very session that is timed, agree. */
void bench_check(bench *b, bench_case *c);

/* what a session of this case is made with */
vkdet_session_params bench_session_params(const bench *b, const char *device,
                                          vkdet_precision precision, uint32_t batch,
                                          uint32_t slots);

#endif
