/* Drivers that do not do what they say, or not well: one table, and what is done because of it. */
#ifndef HOST_VULKAN_QUIRKS_H
#define HOST_VULKAN_QUIRKS_H

#include "host/vulkan/functions.h"

#include <stdint.h>

typedef enum quirk {
    QUIRK_NO_MATRIX = 1,  /* cooperative matrices are neither asked about nor used */
    QUIRK_SPECIALIZE = 2, /* specialization constants are written into the modules (specialize.h) */
    QUIRK_COMPILES_LATE = 4,    /* pipelines are run for nothing when they are made (ahead.c) */
    QUIRK_SPLITS_LOADS = 8,     /* LOADS_SPLIT */
    QUIRK_SPLITS_ALL_LOADS = 16 /* LOADS_ALL_SPLIT */
} quirk;

/* Who and what a device says that it is. */
typedef struct quirk_subject {
    uint32_t vendor;
    VkDriverId driver; /* 0: a Vulkan 1.1 device, which does not say */
    uint32_t version;  /* driverVersion, as the driver encodes it */
    VkPhysicalDeviceType type;
} quirk_subject;

/* All that is known of it, or-ed together; *reason (of the last, static) says why, "" for none. */
uint32_t quirks_find(const quirk_subject *subject, const char **reason);

#endif
