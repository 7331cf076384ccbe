/* Standard error: messages, the library's log, and the progress bar, which share one terminal line.
 * Every function may be called by any thread. */
#ifndef HOST_CLI_CONSOLE_H
#define HOST_CLI_CONSOLE_H

#include "vkdet.h"

#include <stdbool.h>

#if defined(__GNUC__)
#define CONSOLE_PRINTF __attribute__((format(printf, 1, 2)))
#else
#define CONSOLE_PRINTF
#endif

typedef enum console_level { CONSOLE_QUIET = 0, CONSOLE_NORMAL, CONSOLE_VERBOSE } console_level;

void console_start(console_level level);
/* one line "vkdet: ..."; control characters (file names may hold them) become '?' */
void console_error(const char *format, ...) CONSOLE_PRINTF;
/* the same, unless quiet */
void console_note(const char *format, ...) CONSOLE_PRINTF;
/* vkdet_log_callback */
void console_log(void *user, vkdet_log_level level, const char *id, const char *message);

/* The bar: drawn only on a terminal, at most ten times a second. Ticks from one thread. */
void progress_start(bool wanted, uint64_t total); /* total 0: not known */
void progress_tick(uint64_t done, uint64_t failed);
void progress_end(void);

#endif
