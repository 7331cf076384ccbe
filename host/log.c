/* Formats a message and hands it to the caller's callback. */
#include "host/log.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct log_entry {
    const char *name;
    vkdet_log_level level;
} log_entry;

static const log_entry entries[LOG_ID_COUNT] = {
#define LOG_ENTRY(id, level) [LOG_##id] = {#id, level},
    LOG_TABLE(LOG_ENTRY)
#undef LOG_ENTRY
};

void log_write(const logger *l, log_id id, const char *format, ...)
{
    const log_entry *entry = &entries[id];
    if (!l || !l->write || entry->level > l->level) {
        return;
    }
    char name[32], message[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    size_t i = 0;
    for (; entry->name[i] && i + 1 < sizeof name; i++) {
        name[i] = entry->name[i] == '_' ? '-' : entry->name[i];
    }
    name[i] = 0;
    for (unsigned char *c = (unsigned char *)message; *c; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            *c = ' ';
        }
    }
    l->write(l->user, entry->level, name, message);
}
