/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/isid.h"

#include <systemd/sd-id128.h>

#include "common/hash.h"

#define FORMAT_RANDOM (UINT64_C(0x80) << 40)

/* libsystemd takes the SHA-256 of the machine's id and a number of the application's. A machine without an id has that of its
 * boot. */
uint64_t isid_first(const char *node, const char *record) {
        sd_id128_t application = {}, id = {};
        uint64_t hash[2] = { hash_text(node), hash_text(record) };

        for (unsigned i = 0; i < 16; i++)
                application.bytes[i] = (uint8_t) (hash[i / 8] >> (8 * (i % 8)));
        if (sd_id128_get_machine_app_specific(application, &id) < 0)
                (void) sd_id128_get_boot_app_specific(application, &id);

        return FORMAT_RANDOM | (uint64_t) id.bytes[0] << 32 | (uint64_t) id.bytes[1] << 24 | (uint64_t) id.bytes[2] << 16 | 1;
}
