/* What the two halves of vkdet_model_plan share. */
#ifndef HOST_API_PLAN_REPORT_H
#define HOST_API_PLAN_REPORT_H

#include "host/api/api.h"

/* the report of a model that was prepared for the device cpu */
status plan_report_cpu(vkdet_context *context, const model *m, const prepared *ready,
                       uint32_t batch, char **json, error *err);

#endif
