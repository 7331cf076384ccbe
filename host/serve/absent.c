/* A build without libmicrohttpd. */
#include "host/serve/serve.h"

serve_outcome serve_run(const serve_params *params)
{
    vkdet_model_destroy(params->model);
    params->error(params->user,
                  "serve: this build has no libmicrohttpd (Debian: libmicrohttpd-dev)");
    return SERVE_ABSENT;
}
