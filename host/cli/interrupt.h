/* Signals that ask a run to end: it stops taking sources, finishes what the device has, closes its
 * document and exits with 128 plus the signal's number. */
#ifndef HOST_CLI_INTERRUPT_H
#define HOST_CLI_INTERRUPT_H

#include "host/cli/sources.h"

/* From here on the first SIGINT, SIGTERM or SIGHUP cancels `s`; a second one has its usual effect.
 * What the parent ignores (nohup, a shell's background jobs) stays ignored. */
void interrupt_watch(sources *s);
/* Gives the signals back, before `s` is destroyed. */
void interrupt_unwatch(void);
/* the signal that came, or 0 */
int interrupt_signal(void);

#endif
