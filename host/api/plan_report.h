/* What the two halves of vkdet_model_plan share. */
#ifndef HOST_API_PLAN_REPORT_H
#define HOST_API_PLAN_REPORT_H

#include "host/api/api.h"

#include <jansson.h>

/* The report of a model that was prepared for the device cpu; b is a session's backend, of which
 * `session` says batch and slots. NULL when memory ran out. */
json_t *plan_report_cpu(backend *b, const model *m, const prepared *ready,
                        const backend_params *session);

#endif
