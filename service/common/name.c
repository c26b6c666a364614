/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/name.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <stringprep.h>

#include "common/identifier.h"

static bool is_label_char(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool is_alphanumeric(char c) {
        return is_label_char(c) && c != '-';
}

static bool has_hex_digits(const char *s, size_t n) {
        return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

static const char *check_iqn(const char *s) {
        const char *label;

        /* s: what follows "iqn." */
        if (strspn(s, "0123456789") != 4 || s[4] != '-' || strspn(s + 5, "0123456789") != 2 || s[7] != '.')
                return "behind \"iqn.\" comes the date yyyy-mm on which the naming authority owned its domain, and a dot";
        if (memcmp(s + 5, "01", 2) < 0 || memcmp(s + 5, "12", 2) > 0)
                return "the month of its date is none of 01 to 12";

        label = s + 8;
        for (const char *p = label;; p++) {
                if (*p == '.' || *p == ':' || *p == '\0') {
                        if (p == label || !is_alphanumeric(label[0]) || !is_alphanumeric(p[-1]))
                                return "behind the date comes the naming authority's domain, reversed, such as \"com.example\"";
                        label = p + 1;
                        if (*p == '\0')
                                return NULL;
                        if (*p == ':')
                                return p[1] ? NULL : "something must follow the colon";
                } else if (!is_label_char(*p))
                        return "the naming authority's domain holds only a-z, 0-9, '-' and '.'";
        }
}

int iscsi_name_normalize(const char *input, char **ret, const char **ret_reason) {
        /* Folding changes the length in both directions: of a name that ends as 223 bytes each may have been 4 bytes long
         * before. */
        char buf[ISCSI_NAME_MAX * 4 + 1], again[sizeof(buf)];
        const char *reason = NULL;
        char *name;
        int r;

        if (strlen(input) >= sizeof(buf)) {
                *ret_reason = "it is longer than 223 bytes";
                return -EINVAL;
        }

        strcpy(buf, input);
        r = stringprep(buf, sizeof(buf), STRINGPREP_NO_UNASSIGNED, stringprep_iscsi);
        if (r == STRINGPREP_MALLOC_ERROR)
                return -ENOMEM;
        if (r == STRINGPREP_TOO_SMALL_BUFFER) {
                *ret_reason = "it is longer than 223 bytes";
                return -EINVAL;
        }
        if (r != STRINGPREP_OK) {
                *ret_reason = "it has a character that RFC 3722 does not allow (of ASCII it allows a-z, 0-9, '-', '.' and ':')";
                return -EINVAL;
        }

        /* NFKC of Unicode 3.2, which RFC 3722 asks for, composes across some marks (Unicode's public review issue 29): a few
         * sequences, which no language has, change once more when they are normalized again. Compared byte for byte they would be
         * two names. */
        strcpy(again, buf);
        r = stringprep(again, sizeof(again), STRINGPREP_NO_UNASSIGNED, stringprep_iscsi);
        if (r == STRINGPREP_MALLOC_ERROR)
                return -ENOMEM;
        if (r != STRINGPREP_OK || strcmp(again, buf) != 0) {
                *ret_reason = "it has a sequence of characters that has no stable normal form";
                return -EINVAL;
        }

        if (strlen(buf) > ISCSI_NAME_MAX)
                reason = "it is longer than 223 bytes";
        else if (strncmp(buf, "iqn.", 4) == 0)
                reason = check_iqn(buf + 4);
        else if (strncmp(buf, "eui.", 4) == 0)
                reason = has_hex_digits(buf + 4, 16) ? NULL : "behind \"eui.\" come exactly 16 hexadecimal digits";
        else if (strncmp(buf, "naa.", 4) == 0)
                reason = has_hex_digits(buf + 4, 16) || has_hex_digits(buf + 4, 32)
                                 ? NULL
                                 : "behind \"naa.\" come exactly 16 or 32 hexadecimal digits";
        else
                reason = "it begins with none of \"iqn.\", \"eui.\" and \"naa.\"";

        if (reason) {
                *ret_reason = reason;
                return -EINVAL;
        }

        name = strdup(buf);
        if (!name)
                return -ENOMEM;

        *ret = name;
        return 0;
}

int iscsi_name_generate(const char *host, const uint8_t random[static 6], char **ret) {
        char label[64];
        size_t n = 0;

        /* The first label of the host's name; "iqn.…:sn.…" leaves ample room for its 63 bytes. */
        for (const char *p = host; *p && *p != '.' && n < sizeof(label) - 1; p++) {
                char c = (char) tolower((unsigned char) *p);

                if (is_label_char(c) && (n > 0 || c != '-'))
                        label[n++] = c;
        }
        while (n > 0 && label[n - 1] == '-')
                n--;
        label[n] = '\0';

        if (asprintf(ret, "iqn.2003-01.org.linux-iscsi.%s:sn.%02x%02x%02x%02x%02x%02x", n > 0 ? label : "localhost", random[0],
                     random[1], random[2], random[3], random[4], random[5]) < 0)
                return -ENOMEM;

        return 0;
}

int iscsi_port_name(const char *node, uint16_t role, uint64_t identifier, char **ret) {
        int n;

        n = role == ROLE_TARGET ? asprintf(ret, "%s,t,0x%04x", node, (unsigned) identifier)
                                : asprintf(ret, "%s,i,0x%012llx", node, (unsigned long long) identifier);
        return n < 0 ? -ENOMEM : 0;
}
