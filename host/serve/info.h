/* The answer of GET /v1/info. */
#ifndef HOST_SERVE_INFO_H
#define HOST_SERVE_INFO_H

struct server;

/* From malloc; NULL when there is no memory. */
char *info_text(const struct server *s);

#endif
