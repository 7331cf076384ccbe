/* Whether a request's head says one thing only, to us and to a proxy before us. */
#ifndef HOST_SERVE_FRAMING_H
#define HOST_SERVE_FRAMING_H

struct MHD_Connection;

/* The status of the refusal, with the reason; 0 for a head that is sound. */
unsigned framing_check(struct MHD_Connection *connection, const char *version, const char **reason);

#endif
