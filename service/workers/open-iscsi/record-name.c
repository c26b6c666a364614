/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/record-name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/hash.h"
#include "common/name.h"

#define PREFIX "icd-"
#define HEX "0123456789abcdef"
#define HOST_PART "host"
#define IDENTIFIER_LENGTH 12u

static void node_part(const char *node, char ret[static 17]) {
        if (strcmp(node, HOST_NODE) == 0)
                (void) strcpy(ret, HOST_PART);
        else
                (void) snprintf(ret, 17, "%016" PRIx64, hash_text(node));
}

void record_name_make(const char *node, uint64_t identifier, char ret[static RECORD_NAME_MAX + 1]) {
        char part[17];

        node_part(node, part);
        (void) snprintf(ret, RECORD_NAME_MAX + 1, PREFIX "%s-%012" PRIx64, part, identifier & UINT64_C(0xFFFFFFFFFFFF));
}

/* The two parts behind the prefix. */
static bool split(const char *file, const char **ret_node, size_t *ret_n, uint64_t *ret_identifier) {
        const char *dash;

        if (strncmp(file, PREFIX, strlen(PREFIX)) != 0)
                return false;
        *ret_node = file + strlen(PREFIX);
        dash = strchr(*ret_node, '-');
        if (!dash || strlen(dash + 1) != IDENTIFIER_LENGTH || strspn(dash + 1, HEX) != IDENTIFIER_LENGTH)
                return false;

        *ret_n = (size_t) (dash - *ret_node);
        *ret_identifier = strtoull(dash + 1, NULL, 16);
        return (*ret_n == strlen(HOST_PART) && memcmp(*ret_node, HOST_PART, *ret_n) == 0) ||
               (*ret_n == 16 && strspn(*ret_node, HEX) == 16);
}

bool record_name_is_of(const char *file, const char *node, uint64_t *ret_identifier) {
        uint64_t identifier;
        const char *part;
        char wanted[17];
        size_t n;

        if (!split(file, &part, &n, &identifier))
                return false;
        node_part(node, wanted);
        if (strlen(wanted) != n || memcmp(part, wanted, n) != 0)
                return false;

        if (ret_identifier)
                *ret_identifier = identifier;
        return true;
}

bool record_name_is_ours(const char *file) {
        uint64_t identifier;
        const char *part;
        size_t n;

        return split(file, &part, &n, &identifier);
}
