/* The device "cpu": oneDNN for the convolutions, loops of our own for the rest, behind the same
 * function table as the others. A build without oneDNN has these functions too (absent.c); they
 * then say so. */
#ifndef HOST_CPU_CPU_H
#define HOST_CPU_CPU_H

#include "host/backend.h"

/* out->unusable says so in a build without oneDNN */
void cpu_device_describe(vkdet_device_info *out);
/* whether this CPU multiplies bfloat16 as oneDNN wants it done */
bool cpu_has_bf16(void);

/* graph after the passes. threads 0: one a core that the process may use. params->precision is fp32
 * or bf16; STATUS_UNSUPPORTED where the CPU has no bf16, or the build no oneDNN. */
status cpu_backend_create(const backend_params *params, backend **out, error *err);

/* What bf16 stores as such. Outputs are fp32, and so is everything between them and the
 * convolutions that they come from: a score must not pass through eight bits. is_bf16: one a value.
 */
void cpu_choose_bf16(const graph *g, bool *is_bf16);
/* Gives the kernels of all convolutions the values that bf16 computes with, for comparing. */
status cpu_round_weights(graph *g, error *err);

status cpu_peaks_measure(const allocator *a, vkdet_device_peaks *out, error *err);

#endif
