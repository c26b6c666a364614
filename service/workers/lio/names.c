/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "common/name.h"

/* The kernel's kstrtou16() with base 0: an optional '+', "0x" for hexadecimal, a leading zero for octal, one newline may follow. */
static int kernel_u16_from_text(const char *text, uint16_t *ret) {
        unsigned base = 10, value = 0;
        const char *p = text;

        if (*p == '+')
                p++;

        if (p[0] == '0') {
                base = 8;
                if ((p[1] == 'x' || p[1] == 'X') && isxdigit((unsigned char) p[2])) {
                        base = 16;
                        p += 2;
                }
        }

        if (!isxdigit((unsigned char) *p))
                return -EINVAL;

        for (; isxdigit((unsigned char) *p); p++) {
                unsigned digit =
                        isdigit((unsigned char) *p) ? (unsigned) (*p - '0') : (unsigned) (tolower((unsigned char) *p) - 'a' + 10);

                if (digit >= base)
                        return -EINVAL;
                value = value * base + digit;
                if (value > UINT16_MAX)
                        return -EINVAL;
        }

        if (*p == '\n')
                p++;
        if (*p)
                return -EINVAL;

        *ret = (uint16_t) value;
        return 0;
}

int lio_tag_from_name(const char *name, uint16_t *ret) {
        const char *p;

        p = strstr(name, "tpgt_");
        if (!p)
                return -EINVAL;

        return kernel_u16_from_text(p + strlen("tpgt_"), ret);
}

/* As the kernel's in4_pton(): four decimal octets, leading zeros allowed (inet_pton() refuses those). */
static int kernel_ipv4_from_text(const char *text, struct in_addr *ret) {
        uint8_t octets[4];
        const char *p = text;

        if (strlen(text) > INET_ADDRSTRLEN)
                return -EINVAL;

        for (size_t i = 0; i < ELEMENTSOF(octets); i++) {
                unsigned value = 0;

                if (i > 0 && *p++ != '.')
                        return -EINVAL;
                if (!isdigit((unsigned char) *p))
                        return -EINVAL;
                for (; isdigit((unsigned char) *p); p++) {
                        value = value * 10 + (unsigned) (*p - '0');
                        if (value > UINT8_MAX)
                                return -EINVAL;
                }
                octets[i] = (uint8_t) value;
        }

        if (*p)
                return -EINVAL;

        memcpy(ret, octets, sizeof(octets));
        return 0;
}

static int kernel_ipv6_from_text(const char *text, IpAddress *ret) {
        char buf[INET6_ADDRSTRLEN];
        const char *zone;
        IpAddress a = { .family = AF_INET6 };
        size_t n;

        zone = strchr(text, '%');
        n = zone ? (size_t) (zone - text) : strlen(text);
        if (n >= sizeof(buf))
                return -EINVAL;
        memcpy(buf, text, n);
        buf[n] = '\0';
        if (inet_pton(AF_INET6, buf, &a.in6) != 1)
                return -EINVAL;

        /* The kernel looks at a zone only where it matters, and takes an interface's number for its name. */
        if (zone && IN6_IS_ADDR_LINKLOCAL(&a.in6)) {
                char *end;
                unsigned long index;

                zone++;
                if (if_nametoindex(zone) == 0) {
                        index = strtoul(zone, &end, 0);
                        if (!*zone || *end || index > INT32_MAX || !if_indextoname((unsigned) index, a.zone))
                                a.zone[0] = '\0';
                } else
                        (void) snprintf(a.zone, sizeof(a.zone), "%s", zone);
        }

        *ret = a;
        return 0;
}

int lio_portal_from_name(const char *name, Portal *ret, bool *ret_usable) {
        const char *address, *end, *colon;
        char buf[INET6_ADDRSTRLEN + IF_NAMESIZE];
        Portal p = {};
        int r;

        /* The kernel skips whatever stands before '[' and between ']' and ':'. */
        address = strchr(name, '[');
        if (address) {
                address++;
                end = strchr(address, ']');
                if (!end)
                        return -EINVAL;
                colon = strchr(end, ':');
        } else {
                address = name;
                end = colon = strchr(name, ':');
        }
        if (!colon || (size_t) (end - address) >= sizeof(buf))
                return -EINVAL;

        memcpy(buf, address, (size_t) (end - address));
        buf[end - address] = '\0';

        r = kernel_u16_from_text(colon + 1, &p.port);
        if (r < 0)
                return r;

        /* IPv4 is tried first, brackets or not. */
        p.address.family = AF_INET;
        if (kernel_ipv4_from_text(buf, &p.address.in) < 0) {
                r = kernel_ipv6_from_text(buf, &p.address);
                if (r < 0)
                        return r;
        }

        *ret_usable = p.port > 0 && ip_address_is_usable(&p.address);
        *ret = p;
        return 0;
}

/* Length of the UTF-8 sequence at P, 0 if it is none (RFC 3629: shortest form, no surrogates, at most U+10FFFF). */
static size_t utf8_length(const unsigned char *p) {
        size_t n = p[0] < 0x80                   ? 1
                   : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                   : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                   : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                 : 0;

        for (size_t i = 1; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;

        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) ||
            (p[0] == 0xf4 && p[1] >= 0x90))
                return 0;

        return n;
}

bool lio_node_name_is_valid(const char *name) {
        static const char *const types[] = { "iqn.", "eui.", "naa." };
        const unsigned char *p = (const unsigned char *) name;
        bool typed = false;
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                typed = typed || strncmp(name, types[i], strlen(types[i])) == 0;
        if (!typed || !name[4] || strlen(name) > ISCSI_NAME_MAX)
                return false;

        for (; *p; p += n) {
                n = utf8_length(p);
                if (n == 0 || *p <= ' ' || *p == 0x7f || *p == '/')
                        return false;
        }

        return true;
}
