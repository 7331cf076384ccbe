/* The table of driver quirks. An entry says what is wrong, and either where anybody can read of it
 * or with which version it was seen here; it goes when no driver in use has it any more. What a
 * session can find out by itself does not belong here: timestamps that cannot be true (profile.c),
 * loops cut short (shaders/nms.comp). */
#include "host/vulkan/quirks.h"

enum { VENDOR_ID_AMD = 0x1002, VENDOR_ID_GOOGLE = 0x1ae0 };

typedef struct quirk_entry {
    uint32_t vendor;
    VkDriverId driver;
    VkPhysicalDeviceType type;
    uint32_t first, last; /* driverVersion, both included */
    uint32_t quirks;
    const char *reason;
} quirk_entry;

static const char amd_matrix[] =
    "the driver crashes when it is asked for the shapes of cooperative matrices "
    "(AMDVLK issue 422, seen with 2.0.388; llama.cpp pull request 22750)";

static const char constants_stay[] =
    "the driver unrolls no loop whose bound is a specialization constant, and keeps arrays that "
    "such a loop indexes in memory (its optimizer never sees the constants as known); it loads "
    "lane by lane (seen with that of Debian 12's Chromium)";

static const char compiles_late[] =
    "the driver compiles a pipeline when it first runs, one after the other, and makes a loop over "
    "the lanes of every load in which they differ (seen with Mesa 22.3.6; 26.2.6 gathers, and "
    "compiles under a lock that leaves helpers nothing to do; those between were not seen, and are "
    "taken for the older up to 24)";

static const quirk_entry entries[] = {
    {VENDOR_ID_AMD, VK_DRIVER_ID_AMD_PROPRIETARY, VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, 0,
     UINT32_MAX, QUIRK_NO_MATRIX, amd_matrix},
    {VENDOR_ID_AMD, VK_DRIVER_ID_AMD_OPEN_SOURCE, VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, 0,
     UINT32_MAX, QUIRK_NO_MATRIX, amd_matrix},
    {VENDOR_ID_GOOGLE, VK_DRIVER_ID_GOOGLE_SWIFTSHADER, VK_PHYSICAL_DEVICE_TYPE_CPU, 0, UINT32_MAX,
     QUIRK_SPECIALIZE | QUIRK_SPLITS_ALL_LOADS, constants_stay},
    {VK_VENDOR_ID_MESA, VK_DRIVER_ID_MESA_LLVMPIPE, VK_PHYSICAL_DEVICE_TYPE_CPU, 0,
     VK_MAKE_API_VERSION(0, 24, 0x3ff, 0xfff), QUIRK_COMPILES_LATE | QUIRK_SPLITS_LOADS,
     compiles_late},
};

uint32_t quirks_find(const quirk_subject *s, const char **reason)
{
    uint32_t found = 0;
    *reason = "";
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        const quirk_entry *e = &entries[i];
        if (e->vendor == s->vendor && e->driver == s->driver && e->type == s->type &&
            s->version >= e->first && s->version <= e->last) {
            found |= e->quirks;
            *reason = e->reason;
        }
    }
    return found;
}
