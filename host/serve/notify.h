/* Telling the service manager, as sd_notify(3) does: one datagram to $NOTIFY_SOCKET. */
#ifndef HOST_SERVE_NOTIFY_H
#define HOST_SERVE_NOTIFY_H

/* "READY=1", "STOPPING=1", each with a STATUS= line or not. Without such a socket nothing happens;
 * 0 then and when it went well, else -1 with errno. */
int notify(const char *state);

#endif
