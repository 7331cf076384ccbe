/* What AMX is told of its tiles (the operand of LDTILECFG). */
#ifndef HOST_CPU_AMX_H
#define HOST_CPU_AMX_H

#include <stdint.h>

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

#endif
