/* What the protocol tells about the server and its models. */
#ifndef HOST_SERVE_OIP_METADATA_H
#define HOST_SERVE_OIP_METADATA_H

#include "host/serve/oip.h"

/* One model in one version. */
typedef struct oip_model {
    const char *name, *version;
    const char *const *versions; /* that it is served in */
    size_t version_count;
    const vkdet_model_info *info;
} oip_model;

/* Each false when memory ran out. */

/* GET /v2 */
bool oip_server_write(oip_body *out);
/* GET /v2/models/NAME */
bool oip_model_write(const oip_model *model, oip_body *out);
/* GET /v2/health/live, /v2/health/ready; name NULL: of the server. what: "live" or "ready" */
bool oip_health_write(const char *what, const char *name, bool good, oip_body *out);
/* POST /v2/repository/index */
bool oip_index_write(const oip_model *models, size_t count, oip_body *out);

#endif
