/* Counters and histograms. */
#include "host/serve/metrics.h"

#include "host/serve/exchange.h"

void metrics_request(const struct exchange *e, bool sent)
{
    (void)e, (void)sent;
}

void metrics_batch(size_t device, uint32_t pictures, double seconds)
{
    (void)device, (void)pictures, (void)seconds;
}

void metrics_handle(request *r)
{
    request_answer(r, 200, "text/plain; version=0.0.4", "", 0, BODY_STATIC);
}
